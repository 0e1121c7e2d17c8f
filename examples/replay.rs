//! Replays a log of what a host receives into a store: one JSON line in, one JSON line of outcome
//! out, in order.
//!
//! ```text
//! cargo run --release --example replay -- --store contacts.redb --create examples/sample.jsonl
//! ```
//!
//! `contact_store::wire::Line` says what a line may be. Lines are decided strictly in order.
//! Writes are handed to the store ahead of their answers, so that many share a commit; a line that
//! reads waits for all writes before it.
//!
//! Each concept has a file under `replay/`; here is only what happens from the start of the process to
//! its end.

#[path = "replay/arguments.rs"]
mod arguments;
#[path = "common/causes.rs"]
mod causes;
#[path = "common/command_line.rs"]
pub mod command_line;
#[path = "common/lines.rs"]
pub mod lines;
#[path = "replay/log.rs"]
mod log;
#[path = "common/open_store.rs"]
pub mod open_store;
#[path = "replay/progress.rs"]
mod progress;
#[path = "replay/replaying.rs"]
mod replaying;
#[path = "replay/stop.rs"]
mod stop;
#[path = "common/store_options.rs"]
pub mod store_options;
#[path = "replay/summary.rs"]
mod summary;

use std::env;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

pub use arguments::Arguments;
pub use replaying::replay;
pub use stop::Stop;
pub use summary::Summary;

use command_line::Asked;
use open_store::open_store;
use progress::{BesideBar, progress_bar};

fn main() -> ExitCode {
    let arguments = match Arguments::read(env::args_os().skip(1)) {
        Ok(Asked::Run(arguments)) => arguments,
        Ok(Asked::Help(text)) => {
            return match io::stdout().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            };
        }
        Err(wrong) => {
            say(&format!("{wrong}\nreplay --help says what there is"));
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(summary) => {
            say(&summary.to_string());
            ExitCode::SUCCESS
        }
        // The reader of the answers wants no more of them.
        Err(Stop::Output(error)) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(stop) => {
            say(&stop.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Says something to the person at the terminal. Nothing else can be told when that fails.
fn say(text: &str) {
    drop(writeln!(io::stderr(), "replay: {}", text.trim_end()));
}

fn run(arguments: &Arguments) -> Result<Summary, Stop> {
    let (input, bytes) = log::open(&arguments.log).map_err(|error| Stop::Open {
        log: arguments.log.clone(),
        error,
    })?;
    let options = arguments.options.options();
    let (policy, limits) = (options.policy, options.limits);
    let store = open_store(&arguments.store, options).map_err(Stop::OpenStore)?;

    let bar = progress_bar(bytes);
    let output: Box<dyn Write> = if io::stdout().is_terminal() {
        Box::new(BesideBar(bar.clone()))
    } else {
        Box::new(BufWriter::new(io::stdout()))
    };
    let replayed = replay(&store, policy, limits, input, output, |summary| {
        bar.set_position(summary.bytes);
    });
    bar.finish_and_clear();
    let closed = store.close().map_err(Stop::Store);
    let summary = replayed?;
    closed.map(|()| summary)
}
