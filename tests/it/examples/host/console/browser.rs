//! A browser without a window, told what to do over pipes, in the protocol of its developer tools.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::cases::tell;

/// No call, and nothing that a page does, takes this long.
const HANG: Duration = Duration::from_secs(20);

const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];

/// A browser, killed when it is dropped.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    calls: u64,
    events: VecDeque<Value>,
    _directory: TempDir,
}

impl Browser {
    /// Starts one. Says that it is missing where none is installed.
    pub fn start() -> Option<Self> {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let is_there =
            |name: &&&str| std::env::split_paths(&paths).any(|at| at.join(name).is_file());
        let Some(name) = NAMES.iter().find(is_there) else {
            tell("the console in a browser: skipped, chromium is not installed");
            return None;
        };
        Some(Self::of(name))
    }

    fn of(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        // It reads calls from descriptor 3 and writes to 4, each ended by a zero byte.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"])
            .arg(name)
            .args([
                "--headless",
                "--remote-debugging-pipe",
                // It opens the page of the test and nothing else, often as root, where it has no sandbox.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-breakpad",
                "--disable-extensions",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                "--hide-scrollbars",
            ])
            .arg(format!("--user-data-dir={}", directory.path().display()))
            .arg("about:blank")
            .env("HOME", directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (send, from) = mpsc::channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while out.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                if let Ok(message) = serde_json::from_slice(&message) {
                    drop(send.send(message));
                }
                message.clear();
            }
        });
        Browser {
            child,
            to,
            from,
            calls: 0,
            events: VecDeque::new(),
            _directory: directory,
        }
    }

    #[track_caller]
    fn call(&mut self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut call = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(session) = session {
            call["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&call).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let Ok(mut message) = self.from.recv_timeout(HANG) else {
                panic!("the browser does not answer {method}");
            };
            if message["id"] != self.calls {
                self.events.push_back(message);
                continue;
            }
            assert!(message.get("error").is_none(), "{method}: {message}");
            return message["result"].take();
        }
    }

    /// Opens a page of its own, this wide.
    #[track_caller]
    pub fn open(&mut self, url: &str, width: u32) -> Page<'_> {
        self.open_after("", url, width)
    }

    /// The same, with a script that runs before those of the page.
    #[track_caller]
    pub fn open_after(&mut self, script: &str, url: &str, width: u32) -> Page<'_> {
        self.events.clear();
        let target = self.call(None, "Target.createTarget", json!({"url": "about:blank"}));
        let target = target["targetId"].clone();
        let attach = json!({"targetId": target, "flatten": true});
        let session = self.call(None, "Target.attachToTarget", attach);
        let mut page = Page {
            session: session["sessionId"].as_str().unwrap().to_owned(),
            target,
            browser: self,
        };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        page.set_width(width, 1.0);
        let source = json!({"source": script});
        page.call("Page.addScriptToEvaluateOnNewDocument", source);
        page.call("Page.navigate", json!({"url": url}));
        page.until("document.readyState === 'complete'");
        page
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // With the processes that it started; it may have ended.
        if let Some(group) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        drop(self.child.wait());
    }
}

/// A page in a browser.
pub struct Page<'a> {
    browser: &'a mut Browser,
    session: String,
    target: Value,
}

impl Page<'_> {
    #[track_caller]
    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.browser.call(Some(&self.session), method, parameters)
    }

    /// How wide it is in CSS pixels, and how many pixels of a picture one of them takes.
    #[track_caller]
    pub fn set_width(&mut self, width: u32, scale: f64) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": 900, "deviceScaleFactor": scale, "mobile": false}),
        );
    }

    /// The value of an expression.
    #[track_caller]
    pub fn value(&mut self, expression: &str) -> Value {
        let evaluate =
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let mut done = self.call("Runtime.evaluate", evaluate);
        assert!(
            done.get("exceptionDetails").is_none(),
            "{expression}: {done}"
        );
        done["result"]["value"].take()
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn until(&mut self, expression: &str) {
        let began = Instant::now();
        // What it asks for may not be there yet.
        let tried = format!(
            "(() => {{ try {{ return Boolean({expression}) }} catch {{ return false }} }})()"
        );
        while self.value(&tried) != true {
            let shown = || "document.body.innerText";
            if began.elapsed() > HANG {
                panic!("never {expression}: {}", self.value(shown()));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a text is shown.
    #[track_caller]
    pub fn until_shown(&mut self, text: &str) {
        self.until(&format!(
            "document.body.innerText.includes({})",
            json!(text)
        ));
    }

    /// What a person reads in the element of a selector.
    #[track_caller]
    pub fn text(&mut self, selector: &str) -> String {
        let text = self.value(&format!(
            "document.querySelector({}).innerText",
            json!(selector)
        ));
        text.as_str().unwrap().to_owned()
    }

    /// Presses a key: `Tab`, `Enter`, `Space`, `ArrowRight`.
    #[track_caller]
    pub fn press(&mut self, name: &str) {
        let (key, code, text) = match name {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            "Space" => (" ", 32, " "),
            "ArrowRight" => ("ArrowRight", 39, ""),
            other => panic!("{other}"),
        };
        let mut event = json!({
            "type": "keyDown", "key": key, "code": name, "windowsVirtualKeyCode": code,
        });
        if !text.is_empty() {
            event["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", event);
    }

    /// Types into what has the focus.
    #[track_caller]
    pub fn type_in(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Tabs until the element of a selector has the focus, as somebody without a mouse does.
    #[track_caller]
    pub fn tab_to(&mut self, selector: &str) {
        for _ in 0..40 {
            let has = format!("document.activeElement.matches({})", json!(selector));
            if self.value(&has) == true {
                // Where it is must be seen.
                let outlined = "getComputedStyle(document.activeElement).outlineStyle";
                assert_eq!(self.value(outlined), "solid", "{selector}");
                return;
            }
            self.press("Tab");
        }
        panic!("no Tab leads to {selector}");
    }

    /// A picture of the whole page, as PNG.
    #[track_caller]
    pub fn write_picture(&mut self, path: &Path) {
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let shot = self.call("Page.captureScreenshot", whole);
        let picture = data_encoding::BASE64.decode(shot["data"].as_str().unwrap().as_bytes());
        std::fs::write(path, picture.unwrap()).unwrap();
    }

    /// Closes the page. It went well: nothing failed in it, its policy stopped nothing, and it asked for
    /// nothing but from `origin`, with no part of `personal` in an address.
    #[track_caller]
    pub fn close(mut self, origin: &str, personal: &[&str]) {
        self.value("0");
        let target = self.target.clone();
        self.browser
            .call(None, "Target.closeTarget", json!({"targetId": target}));
        let mut asked = 0;
        for event in std::mem::take(&mut self.browser.events) {
            let parameters = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" => panic!("{event}"),
                // A status such as 401 or 404 is not a failure of the page.
                "Log.entryAdded" if parameters["entry"]["source"] == "network" => {}
                "Log.entryAdded" => panic!("{event}"),
                "Network.requestWillBeSent" => {
                    let url = parameters["request"]["url"].as_str().unwrap();
                    let url = percent_encoding::percent_decode_str(url).decode_utf8_lossy();
                    assert!(url.starts_with(origin), "{url}");
                    for part in personal {
                        assert!(!url.contains(part), "{part} is in {url}");
                    }
                    asked += 1;
                }
                _ => {}
            }
        }
        assert!(asked > 5, "{asked}");
    }
}
