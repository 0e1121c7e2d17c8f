//! This test binary as a process of its own: it runs one test function, which finds its task in an
//! environment variable and returns immediately without it. What the child says to the test that started
//! it are lines with a mark, among those of the test harness.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::Duration;

const TASK: &str = "CONTACT_STORE_TEST_TASK";
const MARK: &str = "@ ";

/// No child takes this long for anything.
const HANG: Duration = Duration::from_secs(60);

/// What the child is to do, if this process is one.
pub fn task() -> Option<String> {
    std::env::var(TASK).ok()
}

/// Says a line to the test that started this process. It is written immediately and whole.
pub fn say(line: &str) {
    // The harness may have left its own line open.
    let line = format!("\n{MARK}{line}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Waits for a line from the test that started this process.
pub fn hear() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// The arguments that make this binary run `test` alone, such as `files::child_that_opens`.
pub fn arguments(test: &str) -> [&str; 4] {
    [test, "--exact", "--nocapture", "--test-threads=1"]
}

/// A command that runs `test` of this binary with `task`.
pub fn command(test: &str, task: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments(test)).env(TASK, task);
    command
}

/// The same, under limits or a mask that `sh` sets first.
#[cfg(unix)]
pub fn command_after(set: &str, test: &str, task: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{set}; exec \"$0\" \"$@\""));
    command.arg(std::env::current_exe().unwrap());
    command.args(arguments(test)).env(TASK, task);
    command
}

/// The same, on a file system that `mount` mounts first and that only the child sees. `None` when this
/// user may not mount one.
#[cfg(unix)]
pub fn command_on_mount(mount: &str, test: &str, task: &str) -> Option<Command> {
    let unshared = || {
        let mut command = Command::new("unshare");
        command.arg("-rm");
        command
    };
    let tried = unshared()
        .args(["sh", "-c", mount])
        .stderr(Stdio::null())
        .status();
    if !tried.is_ok_and(|status| status.success()) {
        return None;
    }
    let inner = command_after(mount, test, task);
    let mut command = unshared();
    command.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    Some(command)
}

/// A running child, killed when this is dropped.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    pub fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = mpsc::channel();
        // The child must never wait for a full pipe.
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            // A last line without an end was cut off by a kill.
            while out.read_line(&mut line).is_ok() && line.ends_with('\n') {
                if let Some(said) = line.trim_end().strip_prefix(MARK) {
                    drop(send.send(said.to_owned()));
                }
                line.clear();
            }
        });
        Process {
            child,
            lines,
            reader: Some(reader),
        }
    }

    /// Waits for the next line that the child says.
    #[track_caller]
    pub fn next_line(&self) -> String {
        self.lines.recv_timeout(HANG).expect("the child says more")
    }

    /// Says a line to the child.
    pub fn say(&mut self, line: &str) {
        let to_child = self.child.stdin.as_mut().unwrap();
        to_child.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Sends the child a signal: `STOP`, `CONT`.
    #[cfg(unix)]
    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
    }

    /// Kills the child, and gives what it said that was not heard yet.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.rest()
    }

    /// Waits until the child ends by itself, and gives what it said that was not heard yet.
    #[track_caller]
    pub fn end(mut self) -> (Vec<String>, ExitStatus) {
        let mut said = Vec::new();
        loop {
            match self.lines.recv_timeout(HANG) {
                Ok(line) => said.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("the child hangs"),
            }
        }
        (said, self.child.wait().unwrap())
    }

    fn rest(&mut self) -> Vec<String> {
        self.reader.take().unwrap().join().unwrap();
        self.lines.try_iter().collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended, and been waited for.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a child that ends by itself and without a failure, and gives what it said.
#[track_caller]
pub fn run(command: Command) -> Vec<String> {
    let (said, status) = Process::start(command).end();
    assert!(status.success(), "{status}, having said {said:?}");
    said
}
