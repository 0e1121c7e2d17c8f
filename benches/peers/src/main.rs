//! contact-store measured beside what a user would pick instead: see `README.md`.
#![deny(unsafe_code)]

mod arguments;
mod checks;
mod children;
mod disk;
mod machine;
mod measure;
#[path = "../../common/numbers.rs"]
mod numbers;
mod people;
mod plan;
mod results;
mod run;
mod sides;
mod stage;
mod workloads;

use arguments::Arguments;
use machine::Machine;
use results::Results;

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = given.split_first()
        && first == children::CHILD
    {
        return children::run(rest);
    }
    let arguments = Arguments::read();
    disk::empty(&arguments.directory);
    let machine = Machine::of(&arguments.directory);
    let (figures, loads) = run::run(&arguments);
    disk::remove(&arguments.directory);
    let results = Results {
        machine,
        loads,
        figures,
    };
    results.write(&arguments);
}
