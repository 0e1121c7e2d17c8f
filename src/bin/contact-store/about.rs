//! Commands about the tool itself: `completions` and `man`.

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::show::Output;

/// The completions for a shell.
pub(crate) fn completions(shell: Shell, output: &mut Output) -> Result<(), Failure> {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    Ok(output.bytes(&script)?)
}

/// One manual page: the tool, and after it each command.
pub(crate) fn man(output: &mut Output) -> Result<(), Failure> {
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    for of in command.get_subcommands() {
        render_command(of, &mut page)?;
    }
    Ok(output.bytes(&page)?)
}

fn render_command(command: &Command, page: &mut Vec<u8>) -> Result<(), Failure> {
    // clap has `help` as a command of its own.
    if command.get_name() == "help" {
        return Ok(());
    }
    let man = Man::new(command.clone());
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    if command.get_long_about().is_some() {
        man.render_description_section(page)?;
    }
    man.render_options_section(page)?;
    Ok(())
}
