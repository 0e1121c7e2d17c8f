//! Help, version, completions and the manual page.

use crate::support::{ran, tool};

const COMMANDS: [&str; 18] = [
    "get",
    "find",
    "explain",
    "contacts",
    "apps",
    "subscribers",
    "messages",
    "stats",
    "verify",
    "backup",
    "restore",
    "vacuum",
    "import",
    "export",
    "upgrade",
    "compare-policies",
    "completions",
    "man",
];

#[track_caller]
fn printed(words: &[&str]) -> String {
    let mut tool = tool();
    tool.args(words);
    ran(tool).printed()
}

#[test]
fn help_the_manual_and_completions_name_every_command() {
    let mut texts = vec![printed(&["--help"]), printed(&["help"]), printed(&["man"])];
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        texts.push(printed(&["completions", shell]));
    }
    for text in texts {
        // As a manual page writes a hyphen.
        let text = text.replace("\\-", "-");
        for command in COMMANDS {
            assert!(text.contains(command), "no {command} in {text}");
        }
    }
    for command in COMMANDS {
        let help = printed(&[command, "--help"]);
        assert!(help.contains("Usage: contact-store "), "{help}");
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    let version = concat!("contact-store ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(printed(&["--version"]), version);
}
