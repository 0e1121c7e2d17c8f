//! The command-line tool: looks into a store, copies, restores, vacuums, upgrades, exports and fills
//! it, and compares the policies.
//!
//! It is built on the library as a host is, with the feature `cli`. No module of the library knows it.

mod about;
mod apps;
mod args;
mod changes;
mod compare_policies;
mod conflicts;
mod contacts;
mod copies;
mod export;
mod failure;
mod form;
mod import;
mod new_file;
mod open;
mod panics;
mod place;
mod progress;
mod rejects;
mod restart;
mod show;
mod source;
mod stop;
mod store;
mod wrong;

use std::io::{self, Write as _};
use std::process::ExitCode;

use args::{Arguments, Asked, Command};
use failure::Failure;
use show::Output;

fn main() -> ExitCode {
    let arguments = match args::read(std::env::args_os()) {
        Ok(Asked::Run(arguments)) => arguments,
        Ok(Asked::Text(text)) => {
            return match io::stdout().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => Failure::from(error).end(),
            };
        }
        Err(failure) => return failure.end(),
    };
    let mut output = Output::new(arguments.json);
    let ran = panics::caught(|| run(&arguments, &mut output));
    // What was found before a failure is shown all the same.
    let flushed = output.flush().map_err(Failure::from);
    match ran.and(flushed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.end(),
    }
}

fn run(arguments: &Arguments, output: &mut Output) -> Result<(), Failure> {
    let server = &arguments.server;
    match &arguments.command {
        Command::Get { store, by } => contacts::get(&server.place(store)?, by, output),
        Command::Find { store, by, policy } => {
            contacts::find(&server.place(store)?, by, policy, output)
        }
        Command::Explain { store, by } => contacts::explain(&server.place(store)?, by, output),
        Command::Contacts {
            store,
            after,
            limit,
        } => contacts::list(
            &server.place(store)?,
            after.as_deref(),
            limit.as_deref(),
            output,
        ),
        Command::Apps { store } => apps::list(&server.place(store)?, output),
        Command::Subscribers { store, app, count } => {
            apps::subscribers(&server.place(store)?, app, *count, output)
        }
        Command::Messages { store, app } => apps::messages(&server.place(store)?, app, output),
        Command::Changes {
            store,
            after,
            limit,
            follow,
        } => changes::list(
            &server.place(store)?,
            after.as_deref(),
            limit.as_deref(),
            *follow,
            output,
        ),
        Command::Conflicts { store } => conflicts::list(&server.place(store)?, output),
        Command::Stats { store } => store::stats(&server.place(store)?, output),
        Command::Verify { store } => store::verify(&server.place(store)?, output),
        Command::Backup { store, out } => copies::backup(&server.file(store)?, out, output),
        Command::Restore { from, store } => {
            copies::restore(&server.file(from)?, &server.file(store)?, output)
        }
        Command::Vacuum { store } => copies::vacuum(&server.file(store)?, output),
        Command::Import(asked) => import::import(asked, &server.place(&asked.store)?, output),
        Command::Export {
            store,
            file,
            format,
            access_keys,
        } => export::export(
            &server.place(store)?,
            file,
            format.as_deref(),
            *access_keys,
            output,
        ),
        Command::Upgrade { store } => store::upgrade(&server.place(store)?, output),
        Command::ComparePolicies(asked) => {
            compare_policies::compare_policies(asked, server, output)
        }
        Command::Completions { shell } => about::completions(*shell, output),
        Command::Man => about::man(output),
    }
}
