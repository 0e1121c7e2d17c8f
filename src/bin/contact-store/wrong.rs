//! What is wrong with a command line, in words that hold no value of it: a phone may stand where a flag
//! should.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What clap found. Its own texts hold values.
pub(crate) fn what_is_wrong(error: &Error) -> String {
    let names = names_in(error, ContextKind::InvalidArg);
    let name = names.join(" and ");
    match error.kind() {
        ErrorKind::UnknownArgument if name.starts_with('-') && is_word(&name) => {
            format!("{name} is not known")
        }
        ErrorKind::UnknownArgument => format!("an argument of {} bytes is not known", name.len()),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "no command is given".to_owned()
        }
        ErrorKind::InvalidSubcommand => "there is no such command".to_owned(),
        ErrorKind::MissingRequiredArgument if names.len() > 1 => format!("{name} are required"),
        ErrorKind::MissingRequiredArgument => format!("{name} is required"),
        ErrorKind::ArgumentConflict => format!("{name} is given twice"),
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(words)) if !words.is_empty() => {
                format!("{name} is one of {}", words.join(", "))
            }
            _ => format!("{name} needs a value"),
        },
        ErrorKind::TooManyValues => format!("{name} takes no value"),
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        _ => "the arguments are not used like this".to_owned(),
    }
}

/// The arguments that an error names: of `--phone <PHONE>` the first word, of `<STORE>` the one in it.
fn names_in(error: &Error, kind: ContextKind) -> Vec<String> {
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

/// Whether it has the form of a flag's name: letters and hyphens. Anything else may be a value in a
/// wrong place.
fn is_word(name: &str) -> bool {
    let of_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    name.len() <= 24 && name.bytes().all(of_word)
}
