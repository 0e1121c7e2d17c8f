//! A client of a host: whole requests and answers with an HTTP library, and bytes without one.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use ureq::http::{HeaderMap, Request};
use ureq::{Agent, SendBody};

/// The app of the tests: `crate::support::APP`.
pub const APP: &str = "00000000-0000-0000-0000-00000000000a";

/// Keeps its connections open, as clients do.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    host: SocketAddr,
    pub headers: Vec<(&'static str, String)>,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Client {
    pub fn of(host: SocketAddr) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Client {
            agent: config.new_agent(),
            host,
            headers: Vec::new(),
        }
    }

    /// Asks, such as `GET /v1/apps`, with a JSON body unless it is empty. An error is one of the
    /// connection.
    pub fn try_ask(&self, what: &str, body: impl Into<Vec<u8>>) -> Result<Answer, ureq::Error> {
        let (method, path) = what.split_once(' ').unwrap();
        let body = body.into();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.host));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let response = if body.is_empty() {
            let request = request.body(SendBody::none()).unwrap();
            self.agent.run(request)?
        } else {
            let request = request.header("Content-Type", "application/json");
            self.agent.run(request.body(body).unwrap())?
        };
        let (head, mut body) = response.into_parts();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.read_to_string()?,
        })
    }

    #[track_caller]
    pub fn ask(&self, what: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.try_ask(what, body).unwrap()
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "")
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.ask(&format!("POST {path}"), body)
    }

    /// Connects the app of the tests.
    #[track_caller]
    pub fn connect_app(&self) {
        let body = format!(r#"{{"name": "Bot", "appUuid": "{APP}"}}"#);
        self.post("/v1/apps", body)
            .is(200, &format!(r#"{{"appUuid": "{APP}", "name": "Bot"}}"#));
    }

    /// Adds a token to the contact of an email.
    pub fn add(&self, token: &str, email: &str) -> Result<Answer, ureq::Error> {
        let body = format!(r#"{{"tokens": [{{"token": "{token}", "email": "{email}"}}]}}"#);
        self.try_ask(&format!("POST /v1/apps/{APP}/tokens"), body)
    }
}

impl Answer {
    /// The whole answer: its status, and its body as JSON. Times are not compared: they are real.
    #[track_caller]
    pub fn is(&self, status: u16, body: &str) {
        assert_eq!(self.headers["content-type"], "application/json");
        let expected: Value = serde_json::from_str(body).unwrap();
        let mut answered = self.json();
        without_times(&mut answered);
        assert_eq!((self.status, answered), (status, expected));
        let retry = self.headers.get("retry-after");
        assert_eq!(retry.is_some(), status == 503, "{retry:?}");
    }

    /// The whole answer, which is an error and nothing but its code and its text.
    #[track_caller]
    pub fn is_error(&self, status: u16, code: &str, message: &str) {
        let error = serde_json::json!({"error": {"code": code, "message": message}});
        self.is(status, &error.to_string());
    }

    /// The code of an error.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.body) {
            Ok(json) => json,
            Err(error) => panic!("{error}: {self:?}"),
        }
    }
}

/// Takes the times out of an answer.
fn without_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, value| !(name.ends_with("At") && value.is_u64()));
            members.values_mut().for_each(without_times);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// Sends bytes as they are, says nothing more, and reads all that comes back.
pub fn exchange(mut stream: TcpStream, bytes: impl AsRef<[u8]>) -> String {
    stream.write_all(bytes.as_ref()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    read_all(stream)
}

/// All that comes until the host closes the connection, or resets it.
pub fn read_all(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let mut chunk = [0; 1 << 12];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}, after {:?}", String::from_utf8_lossy(&answer)),
        }
    }
    String::from_utf8(answer).unwrap()
}

/// One answer of those on a connection that stays open.
pub fn read_one(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
        if answer.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(answer).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

/// The status of an answer as it came, and the code of its error if its body is one.
#[track_caller]
pub fn status_and_code(answer: &str) -> (u16, Option<String>) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let body: Option<Value> = serde_json::from_str(body).ok();
    let code = body.and_then(|body| Some(body["error"]["code"].as_str()?.to_owned()));
    (status, code)
}

/// The head of a request with a body of `length` bytes.
pub fn head_of_post(path: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}
