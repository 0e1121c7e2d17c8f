//! The example host over PostgreSQL: what it says of a database that is lost, and that it mends itself.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::{eventually, host, process};

/// The host, with the arguments that its task is, a line each.
#[test]
fn child_that_hosts_a_database() {
    let Some(task) = process::task() else { return };
    let arguments = task.lines().map(Into::into);
    std::process::exit(host::exit_status(arguments).into());
}

/// The status and the body of an answer.
fn asked(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, String) {
    let mut answer = answer.unwrap();
    let status = answer.status().as_u16();
    (status, answer.body_mut().read_to_string().unwrap())
}

#[test]
fn a_host_whose_database_is_lost_says_so_and_is_well_again_by_itself() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let database = cluster.database("hosted");
    let url = database.url.replacen("postgres@", "postgres:sesame@", 1);
    let task = format!("--store\n{url}\n--create\n--listen\n127.0.0.1:0\n--postgres-schema\nshop");
    let command = process::command("tests::hosting::child_that_hosts_a_database", &task);
    let mut host = Hosting::start(command);
    let address = host.address.clone();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .into();
    let get = |path: &str| asked(agent.get(format!("http://{address}{path}")).call());
    let upsert = |email: &str| {
        let body = format!(r#"{{"dedupeOn": "email", "contacts": [{{"email": "{email}"}}]}}"#);
        let request = agent.post(format!("http://{address}/v1/contacts"));
        asked(request.content_type("application/json").send(&body))
    };
    assert_eq!(upsert("ann@example.com").0, 200);
    let well = r#"{"status":"ok","engine":"postgres"}"#;
    let (status, body) = get("/healthz");
    assert_eq!(
        (status, body.split_whitespace().collect::<String>().as_str()),
        (200, well)
    );
    let (_, metrics) = get("/metrics");
    assert!(metrics.contains("engine=\"postgres\"} 1\n"), "{metrics}");
    assert!(
        metrics.contains("\ncontact_store_database_failures_total 0\n"),
        "{metrics}"
    );

    cluster.kill();
    let (status, body) = eventually("the host is unwell", || {
        let answer = get("/healthz");
        (answer.0 != 200).then_some(answer)
    });
    assert_eq!(status, 503, "{body}");
    assert!(
        body.contains("databaseUnreachable") || body.contains("needsReopen"),
        "{body}"
    );
    assert!(!body.contains("sesame"), "{body}");

    cluster.start_again();
    eventually("the host is well", || {
        (get("/healthz").0 == 200).then_some(())
    });
    assert_eq!(upsert("bob@example.com").0, 200);
    let (status, body) = get("/v1/contacts/list");
    assert_eq!(status, 200);
    assert!(
        body.contains("ann@example.com") && body.contains("bob@example.com"),
        "{body}"
    );
    let (_, metrics) = get("/metrics");
    assert!(
        !metrics.contains("\ncontact_store_database_failures_total 0\n"),
        "{metrics}"
    );
    let said = host.end();
    assert!(!said.contains("sesame"), "{said}");
}

/// A host, and what it says.
struct Hosting {
    child: std::process::Child,
    address: String,
}

impl Hosting {
    fn start(mut command: std::process::Command) -> Self {
        use std::io::{BufRead as _, BufReader};
        use std::process::Stdio;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, address) = line.split_once("listening on http://")?;
            Some(address.to_owned())
        });
        // What else it prints is not waited for.
        std::thread::spawn(move || lines.for_each(drop));
        Hosting {
            child,
            address: address.unwrap(),
        }
    }

    /// Ends it as an operator does. Gives what it said on standard error.
    fn end(&mut self) -> String {
        use std::io::Read as _;
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        let mut said = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }
}

impl Drop for Hosting {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
