//! The command line, the environment and a configuration file, read as one: a flag goes before its
//! environment variable, and that before the file.
//!
//! `--store` is also `CONTACT_STORE_STORE`, and `store` in the TOML file that `--config` names; so is
//! every other flag. This module knows no flag by name but `--config`. What it says about what is wrong
//! holds no value: a key may stand where a path should.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, Parser};
use toml::{Table, Value};

/// The flag that names the file.
const CONFIG: &str = "config";

/// What was asked for.
#[derive(Debug)]
pub enum Asked<A> {
    /// To run, with these arguments.
    Run(A),
    /// This text.
    Help(String),
}

/// What is wrong with the arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(String);

/// What a program finds wrong by itself: which flags do not go together.
impl From<&'static str> for Wrong {
    fn from(what: &'static str) -> Self {
        Wrong(what.to_owned())
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads the arguments of a program, without its own name.
///
/// # Errors
///
/// [`Wrong`] names the flag, and never its value.
pub fn read<A: Parser>(given: impl IntoIterator<Item = OsString>) -> Result<Asked<A>, Wrong> {
    let command = A::command().mut_args(with_environment);
    let mut words = vec![OsString::from(command.get_name())];
    words.extend(given);
    // A first look, which overlooks what is wrong: a flag that is required may stand in the file.
    let seen = match command
        .clone()
        .ignore_errors(true)
        .try_get_matches_from(&words)
    {
        Ok(seen) => seen,
        Err(error) => return help_or_wrong(&error, &[]),
    };
    let in_file = match seen.get_one::<OsString>(CONFIG) {
        Some(path) => flags_in(Path::new(path), &command, &seen)?,
        None => Vec::new(),
    };
    // In front: after a `--` they would not be flags.
    words.splice(1..1, in_file.iter().cloned());
    let read = command.try_get_matches_from(words);
    match read.and_then(|matches| A::from_arg_matches(&matches)) {
        Ok(arguments) => Ok(Asked::Run(arguments)),
        Err(error) => help_or_wrong(&error, &in_file),
    }
}

/// Reads what an environment variable says of a flag without a value.
///
/// # Errors
///
/// Says which words there are.
pub fn is_true(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" | "" => Ok(false),
        _ => Err("must be true or false"),
    }
}

/// Gives a flag its environment variable, unless it has one of another name.
fn with_environment(arg: Arg) -> Arg {
    let arg = arg.hide_env_values(true);
    match arg.get_long() {
        Some(long) if arg.get_env().is_none() => {
            let name = long.to_ascii_uppercase().replace('-', "_");
            arg.env(format!("CONTACT_STORE_{name}"))
        }
        _ => arg,
    }
}

/// The flags that a configuration file stands for, without those that are given otherwise.
fn flags_in(path: &Path, command: &Command, seen: &ArgMatches) -> Result<Vec<OsString>, Wrong> {
    let wrong = |what: String| Wrong(format!("the configuration file {} {what}", path.display()));
    let text = fs::read_to_string(path)
        .map_err(|error| wrong(format!("cannot be read ({})", error.kind())))?;
    let table: Table = toml::from_str(&text).map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count().saturating_add(1));
        wrong(format!("is not TOML at line {line}"))
    })?;
    let mut flags = Vec::new();
    for (key, value) in &table {
        let known = |arg: &&Arg| arg.get_long() == Some(key) && key != CONFIG;
        let Some(arg) = command.get_arguments().find(known) else {
            let bytes = key.len();
            return Err(wrong(match is_word(key) {
                true => format!("names {key}, which is not known"),
                false => format!("names something of {bytes} bytes, which is not known"),
            }));
        };
        let source = seen.value_source(arg.get_id().as_str());
        if matches!(
            source,
            Some(ValueSource::CommandLine | ValueSource::EnvVariable)
        ) {
            continue;
        }
        let given = flags_of(arg, key, value);
        flags.extend(given.ok_or_else(|| wrong(format!("gives {key} a value of another type")))?);
    }
    Ok(flags)
}

/// One key of the file as flags; `None` when its value is of a type that the flag does not take.
fn flags_of(arg: &Arg, key: &str, value: &Value) -> Option<Vec<OsString>> {
    let flag = |text: &dyn fmt::Display| OsString::from(format!("--{key}={text}"));
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, Value::Boolean(true)) => Some(vec![format!("--{key}").into()]),
        (ArgAction::SetTrue, Value::Boolean(false)) => Some(Vec::new()),
        (ArgAction::SetTrue, _) => None,
        (_, Value::String(text)) => Some(vec![flag(text)]),
        (_, Value::Integer(number)) => Some(vec![flag(number)]),
        (ArgAction::Append, Value::Array(texts)) => {
            let texts = texts
                .iter()
                .map(|text| text.as_str().map(|text| flag(&text)));
            texts.collect()
        }
        _ => None,
    }
}

fn help_or_wrong<A>(error: &clap::Error, in_file: &[OsString]) -> Result<Asked<A>, Wrong> {
    if error.kind() == ErrorKind::DisplayHelp {
        return Ok(Asked::Help(error.render().to_string()));
    }
    let what = what_is_wrong(error);
    let names = names_in(error, ContextKind::InvalidArg);
    let is_named = |flag: &OsString| {
        let flag = flag.to_string_lossy();
        names
            .iter()
            .any(|name| flag.split('=').next() == Some(name.as_str()))
    };
    Err(Wrong(match in_file.iter().any(is_named) {
        true => format!("{what} (in the configuration file)"),
        false => what,
    }))
}

/// What clap found, without the values that its own texts hold.
fn what_is_wrong(error: &clap::Error) -> String {
    let names = names_in(error, ContextKind::InvalidArg);
    let name = names.join(" and ");
    match error.kind() {
        ErrorKind::UnknownArgument if name.starts_with('-') && is_word(&name) => {
            format!("argument {name} is not known")
        }
        ErrorKind::UnknownArgument => format!("an argument of {} bytes is not known", name.len()),
        ErrorKind::MissingRequiredArgument if names.len() > 1 => format!("{name} are required"),
        ErrorKind::MissingRequiredArgument => format!("{name} is required"),
        ErrorKind::ArgumentConflict if names == names_in(error, ContextKind::PriorArg) => {
            format!("{name} is given twice")
        }
        ErrorKind::ArgumentConflict => {
            let other = names_in(error, ContextKind::PriorArg).join(" and ");
            format!("{name} and {other} exclude each other")
        }
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(words)) if !words.is_empty() => {
                format!("{name} is one of {}", words.join(", "))
            }
            _ => format!("{name} needs a value"),
        },
        ErrorKind::ValueValidation => match std::error::Error::source(error) {
            Some(cause) => format!("{name} {cause}"),
            None => format!("{name} has a value that it cannot have"),
        },
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        _ => format!("{name} is not used like this"),
    }
}

/// The arguments that an error names: of `--store <PATH>` the first word, of `<FILE>` the one in it.
fn names_in(error: &clap::Error, kind: ContextKind) -> Vec<String> {
    let first = |text: &String| {
        let name = text.split([' ', '=']).next();
        let name = name.unwrap_or_default();
        name.trim_matches(['<', '>', '[', ']']).to_owned()
    };
    match error.get(kind) {
        Some(ContextValue::String(one)) => vec![first(one)],
        Some(ContextValue::Strings(all)) => all.iter().map(first).collect(),
        _ => Vec::new(),
    }
}

/// Whether it has the form of a flag's name: anything else may be a value in a wrong place.
fn is_word(name: &str) -> bool {
    let of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let letters = name.bytes().filter(u8::is_ascii_alphabetic).count();
    name.len() <= 64 && letters > 0 && name.bytes().all(of_word)
}
