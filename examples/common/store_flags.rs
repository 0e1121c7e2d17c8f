//! The options of a store as flags of a command line, the same for each program that opens one.
//!
//! Nothing here opens a store, and no text of an argument is in what is said about it.

use std::ffi::OsString;

use contact_store::{
    Check, Email, FailedWithoutReason, GonePhrases, InvalidIdentifier, Limits, MatchPolicy,
    Options, Ownership, Phone, Placeholders, UnknownContactId,
};

/// What `--help` says of them.
pub const USAGE: &str = "\
Options of the store:

  --policy cascade|top-priority            which identifiers may find a contact; cascade unless given
  --ownership shared|exclusive             what becomes of a token that another contact holds; shared
                                           unless given
  --invalid-identifier refuse|ignore       what an invalid identifier does to its entry; refuse unless
                                           given
  --unknown-contact-id adopt|reject        what becomes of a contact id that names nobody; adopt unless
                                           given
  --failed-without-reason remove|keep      what FAILED without a reason does; remove unless given
  --gone-phrase TEXT                       a phrase in the reason of FAILED that removes the token too,
                                           besides those of Telegram; may be given again
  --no-gone-phrases                        no such phrase but those given here
  --placeholder WORD                       a value that names nobody, as a customer id or a token,
                                           besides the usual ones; may be given again
  --placeholder-phone PHONE                such a phone; may be given again
  --placeholder-email EMAIL                such an email; may be given again
  --no-placeholders                        no placeholder but those given here
  --check always|if-unclean                when the file is verified at opening; always unless given
  --cache-bytes N                          memory for cached pages
  --tokens-per-contact N, --contacts-per-token N, --entries-per-request N, --request-text-bytes N,
  --custom-fields-per-contact N, --card-text-bytes N, --waiting-requests N, --waiting-text-bytes N
                                           the limits
";

/// The options that the flags name, in place of the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFlags {
    /// How contacts are matched.
    pub policy: MatchPolicy,
    /// What becomes of tokens of other contacts.
    pub ownership: Ownership,
    /// What becomes of invalid identifiers.
    pub invalid_identifier: InvalidIdentifier,
    /// What becomes of unknown contact ids.
    pub unknown_contact_id: UnknownContactId,
    /// What FAILED without a reason does.
    pub failed_without_reason: FailedWithoutReason,
    /// The reasons besides Forbidden that remove.
    pub gone_phrases: GonePhrases,
    /// The values that name nobody.
    pub placeholders: Placeholders,
    /// When the file is verified.
    pub check: Check,
    /// Memory for cached pages.
    pub cache_bytes: usize,
    /// The limits.
    pub limits: Limits,
}

impl Default for StoreFlags {
    fn default() -> Self {
        let options = Options::default();
        StoreFlags {
            policy: options.policy,
            ownership: options.ownership,
            invalid_identifier: options.invalid_identifier,
            unknown_contact_id: options.unknown_contact_id,
            failed_without_reason: options.failed_without_reason,
            gone_phrases: options.gone_phrases.clone(),
            placeholders: options.placeholders.clone(),
            check: options.check,
            cache_bytes: options.cache_bytes,
            limits: options.limits,
        }
    }
}

impl StoreFlags {
    /// The options of a store that these are.
    #[must_use]
    pub fn options(&self) -> Options {
        let mut options = Options::default();
        options.policy = self.policy;
        options.ownership = self.ownership;
        options.invalid_identifier = self.invalid_identifier;
        options.unknown_contact_id = self.unknown_contact_id;
        options.failed_without_reason = self.failed_without_reason;
        options.gone_phrases = self.gone_phrases.clone();
        options.placeholders = self.placeholders.clone();
        options.check = self.check;
        options.cache_bytes = self.cache_bytes;
        options.limits = self.limits;
        options
    }
}

/// Reads flags one at a time, and gives them when all arguments are read.
#[derive(Default)]
pub struct Reader {
    flags: StoreFlags,
    given: Vec<&'static str>,
    gone: Vec<String>,
    nobody: Nobody,
    without_gone_phrases: bool,
    without_placeholders: bool,
}

#[derive(Default)]
struct Nobody {
    words: Vec<String>,
    phones: Vec<Phone>,
    emails: Vec<Email>,
}

/// A flag whose value is a number, and where it goes.
type NumberFlag = (&'static str, fn(&mut StoreFlags) -> &mut usize);

const NUMBERS: [NumberFlag; 9] = [
    ("--cache-bytes", |flags| &mut flags.cache_bytes),
    ("--tokens-per-contact", |flags| {
        &mut flags.limits.tokens_per_contact
    }),
    ("--contacts-per-token", |flags| {
        &mut flags.limits.contacts_per_token
    }),
    ("--entries-per-request", |flags| {
        &mut flags.limits.entries_per_request
    }),
    ("--request-text-bytes", |flags| {
        &mut flags.limits.request_text_bytes
    }),
    ("--custom-fields-per-contact", |flags| {
        &mut flags.limits.custom_fields_per_contact
    }),
    ("--card-text-bytes", |flags| {
        &mut flags.limits.card_text_bytes
    }),
    ("--waiting-requests", |flags| {
        &mut flags.limits.waiting_requests
    }),
    ("--waiting-text-bytes", |flags| {
        &mut flags.limits.waiting_text_bytes
    }),
];

impl Reader {
    /// Takes the flag `name` with its value out of the arguments after it; `false` when it is none
    /// of these.
    ///
    /// # Errors
    ///
    /// Says what is wrong.
    pub fn take(
        &mut self,
        name: &str,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<bool, &'static str> {
        match name {
            "--policy" => {
                let value =
                    self.once("--policy", rest, "--policy needs cascade or top-priority")?;
                self.flags.policy = match value.as_str() {
                    "cascade" => MatchPolicy::Cascade,
                    "top-priority" => MatchPolicy::TopPriority,
                    _ => return Err("--policy is cascade or top-priority"),
                };
            }
            "--ownership" => {
                let missing = "--ownership needs shared or exclusive";
                self.flags.ownership = match self.once("--ownership", rest, missing)?.as_str() {
                    "shared" => Ownership::Shared,
                    "exclusive" => Ownership::Exclusive,
                    _ => return Err("--ownership is shared or exclusive"),
                };
            }
            "--invalid-identifier" => {
                let missing = "--invalid-identifier needs refuse or ignore";
                let value = self.once("--invalid-identifier", rest, missing)?;
                self.flags.invalid_identifier = match value.as_str() {
                    "refuse" => InvalidIdentifier::Refuse,
                    "ignore" => InvalidIdentifier::Ignore,
                    _ => return Err("--invalid-identifier is refuse or ignore"),
                };
            }
            "--unknown-contact-id" => {
                let missing = "--unknown-contact-id needs adopt or reject";
                let value = self.once("--unknown-contact-id", rest, missing)?;
                self.flags.unknown_contact_id = match value.as_str() {
                    "adopt" => UnknownContactId::Adopt,
                    "reject" => UnknownContactId::Reject,
                    _ => return Err("--unknown-contact-id is adopt or reject"),
                };
            }
            "--failed-without-reason" => {
                let missing = "--failed-without-reason needs remove or keep";
                let value = self.once("--failed-without-reason", rest, missing)?;
                self.flags.failed_without_reason = match value.as_str() {
                    "remove" => FailedWithoutReason::Remove,
                    "keep" => FailedWithoutReason::Keep,
                    _ => return Err("--failed-without-reason is remove or keep"),
                };
            }
            "--check" => {
                let missing = "--check needs always or if-unclean";
                self.flags.check = match self.once("--check", rest, missing)?.as_str() {
                    "always" => Check::Always,
                    "if-unclean" => Check::IfUnclean,
                    _ => return Err("--check is always or if-unclean"),
                };
            }
            _ => return self.take_list(name, rest),
        }
        Ok(true)
    }

    /// The flags that may be given again.
    fn take_list(
        &mut self,
        name: &str,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<bool, &'static str> {
        match name {
            "--gone-phrase" => {
                let phrase = text(rest, "--gone-phrase needs a phrase")?;
                self.gone
                    .push(not_blank(phrase, "--gone-phrase is not blank")?);
            }
            "--no-gone-phrases" => self.without_gone_phrases = true,
            "--placeholder" => {
                let word = text(rest, "--placeholder needs a word")?;
                let word = not_blank(word, "--placeholder is not blank")?;
                self.nobody.words.push(word);
            }
            "--placeholder-phone" => {
                let phone = text(rest, "--placeholder-phone needs a phone")?;
                let phone = Phone::parse(&phone).map_err(|_| "--placeholder-phone is a phone")?;
                self.nobody.phones.push(phone);
            }
            "--placeholder-email" => {
                let email = text(rest, "--placeholder-email needs an email")?;
                let email = Email::parse(&email).map_err(|_| "--placeholder-email is an email")?;
                self.nobody.emails.push(email);
            }
            "--no-placeholders" => self.without_placeholders = true,
            _ => return self.take_number(name, rest),
        }
        Ok(true)
    }

    fn take_number(
        &mut self,
        name: &str,
        rest: &mut impl Iterator<Item = OsString>,
    ) -> Result<bool, &'static str> {
        const NO_NUMBER: &str = "a limit and --cache-bytes need a number";
        let Some((name, place)) = NUMBERS.iter().find(|(known, _)| *known == name) else {
            return Ok(false);
        };
        let value = self.once(name, rest, NO_NUMBER)?;
        // `parse` alone would also take a sign.
        let digits = value.bytes().all(|byte| byte.is_ascii_digit());
        let number = value.parse().ok().filter(|_| digits);
        *place(&mut self.flags) = number.ok_or(NO_NUMBER)?;
        Ok(true)
    }

    /// The value of a flag that may be given once.
    fn once(
        &mut self,
        name: &'static str,
        rest: &mut impl Iterator<Item = OsString>,
        missing: &'static str,
    ) -> Result<String, &'static str> {
        let value = text(rest, missing)?;
        if self.given.contains(&name) {
            return Err("an option is given twice");
        }
        self.given.push(name);
        Ok(value)
    }

    /// What was read.
    #[must_use]
    pub fn finish(self) -> StoreFlags {
        let mut flags = self.flags;
        if self.without_gone_phrases {
            flags.gone_phrases = GonePhrases::none();
        }
        flags.gone_phrases = self
            .gone
            .iter()
            .fold(flags.gone_phrases, GonePhrases::phrase);
        if self.without_placeholders {
            flags.placeholders = Placeholders::none();
        }
        let Nobody {
            words,
            phones,
            emails,
        } = self.nobody;
        let placeholders = words.iter().fold(flags.placeholders, Placeholders::word);
        let placeholders = phones.into_iter().fold(placeholders, Placeholders::phone);
        flags.placeholders = emails.into_iter().fold(placeholders, Placeholders::email);
        flags
    }
}

/// The argument after a flag. One that is not UTF-8 is no value of any.
fn text(
    rest: &mut impl Iterator<Item = OsString>,
    missing: &'static str,
) -> Result<String, &'static str> {
    rest.next()
        .ok_or(missing)?
        .into_string()
        .map_err(|_| missing)
}

fn not_blank(text: String, blank: &'static str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        return Err(blank);
    }
    Ok(text)
}
