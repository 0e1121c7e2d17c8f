//! What a program lets be chosen of its store: every option and every limit of the library.
//!
//! A program flattens it into its own arguments. It does not know where they are read, nor which file the
//! store is in.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use contact_store::{
    Check, Create, Email, FailedWithoutReason, GonePhrases, InvalidIdentifier, KeepAnswers,
    KeepChanges, Limits, MatchPolicy, Options, Ownership, Phone, Placeholders, UnknownContactId,
};

use super::command_line::is_true;

/// The store of a program.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Store")]
pub struct StoreOptions {
    /// Makes the store if there is none. Without it that is an error: a volume that is not mounted must
    /// not become an empty store
    #[arg(long, value_parser = is_true)]
    pub create: bool,
    /// When the pages of the file are verified at opening; always unless given
    #[arg(long, value_name = "WHEN", value_parser = word_of(&CHECK))]
    pub check: Option<Check>,
    /// Upgrades a file of an older format. Without it that is an error: the older version of the program
    /// does not open the file any more
    #[arg(long, value_parser = is_true)]
    pub upgrade: bool,
    /// Bytes of memory for cached pages; 268435456 unless given
    #[arg(long, value_name = "BYTES", value_parser = number)]
    pub cache_bytes: Option<usize>,
    /// Most bytes of memory for the indexes, 0 for none; 1073741824 unless given
    #[arg(long, value_name = "BYTES", value_parser = number)]
    pub index_memory_bytes: Option<usize>,
    /// The most bytes of memory for cards that are kept, 0 for none; 67108864 unless given
    #[arg(long, value_name = "BYTES", value_parser = number)]
    pub card_memory_bytes: Option<usize>,
    /// Which identifiers may find a contact; cascade unless given
    #[arg(long, value_name = "POLICY", value_parser = word_of(&POLICY))]
    pub policy: Option<MatchPolicy>,
    /// What happens to a token that another contact holds; shared unless given
    #[arg(long, value_name = "OWNERSHIP", value_parser = word_of(&OWNERSHIP))]
    pub ownership: Option<Ownership>,
    /// What an invalid identifier does to its entry; refuse unless given
    #[arg(long, value_name = "WHAT", value_parser = word_of(&INVALID_IDENTIFIER))]
    pub invalid_identifier: Option<InvalidIdentifier>,
    /// What happens to a contact id that names no contact; adopt unless given
    #[arg(long, value_name = "WHAT", value_parser = word_of(&UNKNOWN_CONTACT_ID))]
    pub unknown_contact_id: Option<UnknownContactId>,
    /// What FAILED without a reason does to the token; remove unless given
    #[arg(long, value_name = "WHAT", value_parser = word_of(&FAILED_WITHOUT_REASON))]
    pub failed_without_reason: Option<FailedWithoutReason>,
    /// Takes requests with an idempotency key, and keeps their answers for this time. Without it such a
    /// request is refused
    #[arg(long, value_name = "SECONDS", value_parser = number)]
    pub keep_answers: Option<usize>,
    /// Most answers that are kept so, 1 to 10000000; 1000000 unless given
    #[arg(long, value_name = "N", value_parser = number, requires = "keep_answers")]
    pub most_answers: Option<usize>,
    /// A phrase in the reason of FAILED that removes the token, besides those of Telegram; may be given
    /// again
    #[arg(long, value_name = "TEXT", value_parser = not_blank)]
    pub gone_phrase: Vec<String>,
    /// No such phrase but those given with --gone-phrase
    #[arg(long, value_parser = is_true)]
    pub no_gone_phrases: bool,
    /// The tokens removed by FAILED of which is remembered who held them, so that they can be brought
    /// back; 0 unless given
    #[arg(long, value_name = "N", value_parser = number)]
    pub remember_blocked: Option<usize>,
    /// Most pairs of contacts on the list of conflicts, which requests named as if they were one; 0
    /// unless given
    #[arg(long, value_name = "N", value_parser = number)]
    pub conflicts: Option<usize>,
    /// A customer id or token that programs write where they have none, besides the usual ones; may be
    /// given again
    #[arg(long, value_name = "WORD", value_parser = not_blank)]
    pub placeholder: Vec<String>,
    /// Such a phone; may be given again
    #[arg(long, value_name = "PHONE", value_parser = phone)]
    pub placeholder_phone: Vec<Phone>,
    /// Such an email; may be given again
    #[arg(long, value_name = "EMAIL", value_parser = email)]
    pub placeholder_email: Vec<Email>,
    /// No placeholder but those given with the three flags before
    #[arg(long, value_parser = is_true)]
    pub no_placeholders: bool,
    /// Turns the change feed on, which keeps the newest changes up to this number
    #[arg(long, value_name = "N", value_parser = number)]
    pub keep_changes: Option<usize>,
    /// Turns the change feed on, which keeps changes for this time; 1000000 of them unless --keep-changes
    /// is given
    #[arg(long, value_name = "SECONDS", value_parser = number)]
    pub keep_changes_seconds: Option<usize>,
    /// The limits.
    #[command(flatten)]
    pub limits: StoreLimits,
}

/// The limits of a store, each the library's unless given.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Limits of the store")]
pub struct StoreLimits {
    /// Most tokens on one card; 1024 unless given
    #[arg(long, value_name = "N", value_parser = number)]
    pub tokens_per_contact: Option<usize>,
    /// Most contacts that hold one token; 1024 unless given
    #[arg(long, value_name = "N", value_parser = number)]
    pub contacts_per_token: Option<usize>,
    /// Most entries in one request; 3000 unless given
    #[arg(long, value_name = "N", value_parser = number)]
    pub entries_per_request: Option<usize>,
    /// Most bytes of text in one request; 8388608 unless given
    #[arg(long, value_name = "BYTES", value_parser = number)]
    pub request_text_bytes: Option<usize>,
    /// Most custom fields on one card; 256 unless given
    #[arg(long, value_name = "N", value_parser = number)]
    pub custom_fields_per_contact: Option<usize>,
    /// Most bytes of text on one card; 262144 unless given
    #[arg(long, value_name = "BYTES", value_parser = number)]
    pub card_text_bytes: Option<usize>,
    /// Most identifiers of erased contacts that are suppressed; 10000000 unless given
    #[arg(long, value_name = "N", value_parser = number)]
    pub suppressed_identifiers: Option<usize>,
    /// Most requests that wait for the writer; 1024 unless given
    #[arg(long, value_name = "N", value_parser = number)]
    pub waiting_requests: Option<usize>,
    /// Most bytes of text that they hold together; 33554432 unless given
    #[arg(long, value_name = "BYTES", value_parser = number)]
    pub waiting_text_bytes: Option<usize>,
}

const CHECK: [(&str, Check); 2] = [("always", Check::Always), ("if-unclean", Check::IfUnclean)];
const POLICY: [(&str, MatchPolicy); 2] = [
    ("cascade", MatchPolicy::Cascade),
    ("top-priority", MatchPolicy::TopPriority),
];
const OWNERSHIP: [(&str, Ownership); 2] = [
    ("shared", Ownership::Shared),
    ("exclusive", Ownership::Exclusive),
];
const INVALID_IDENTIFIER: [(&str, InvalidIdentifier); 2] = [
    ("refuse", InvalidIdentifier::Refuse),
    ("ignore", InvalidIdentifier::Ignore),
];
const UNKNOWN_CONTACT_ID: [(&str, UnknownContactId); 2] = [
    ("adopt", UnknownContactId::Adopt),
    ("reject", UnknownContactId::Reject),
];
const FAILED_WITHOUT_REASON: [(&str, FailedWithoutReason); 2] = [
    ("remove", FailedWithoutReason::Remove),
    ("keep", FailedWithoutReason::Keep),
];

impl StoreOptions {
    /// How it is opened: as the library does where nothing is given, but that no store is made unasked.
    #[must_use]
    pub fn options(&self) -> Options {
        let create = match self.create {
            true => Create::IfMissing,
            false => Create::Never,
        };
        let options = Options::default()
            .create(create)
            .upgrade(self.upgrade)
            .gone_phrases(self.gone_phrases())
            .placeholders(self.placeholders())
            .limits(self.limits.limits());
        let options = with(options, self.keep_changes(), Options::change_feed);
        let options = with(options, self.check, Options::check);
        let options = with(options, self.cache_bytes, Options::cache_bytes);
        let options = with(options, self.index_memory_bytes, Options::index_memory);
        let options = with(options, self.card_memory_bytes, Options::card_memory);
        let remember = self.remember_blocked;
        let options = with(options, remember, Options::remember_blocked);
        let options = with(options, self.conflicts, Options::conflicts);
        let options = with(options, self.policy, Options::policy);
        let options = with(options, self.ownership, Options::ownership);
        let invalid = self.invalid_identifier;
        let options = with(options, invalid, Options::invalid_identifier);
        let unknown = self.unknown_contact_id;
        let options = with(options, unknown, Options::unknown_contact_id);
        let without_reason = self.failed_without_reason;
        let options = with(options, without_reason, Options::failed_without_reason);
        with(options, self.answers(), Options::keep_answers)
    }

    fn answers(&self) -> Option<KeepAnswers> {
        let within = Duration::from_secs(self.keep_answers? as u64);
        let keep = KeepAnswers::default().within(within);
        Some(match self.most_answers {
            Some(most) => keep.answers(most as u64),
            None => keep,
        })
    }

    /// What the change feed keeps; `None` when it is off.
    fn keep_changes(&self) -> Option<KeepChanges> {
        if self.keep_changes.is_none() && self.keep_changes_seconds.is_none() {
            return None;
        }
        let keep = KeepChanges::default();
        let keep = self
            .keep_changes
            .map_or(keep, |most| keep.changes(most as u64));
        let seconds = self.keep_changes_seconds;
        Some(seconds.map_or(keep, |seconds| {
            keep.age(Duration::from_secs(seconds as u64))
        }))
    }

    fn gone_phrases(&self) -> GonePhrases {
        let phrases = match self.no_gone_phrases {
            true => GonePhrases::none(),
            false => GonePhrases::default(),
        };
        self.gone_phrase.iter().fold(phrases, GonePhrases::phrase)
    }

    fn placeholders(&self) -> Placeholders {
        let values = match self.no_placeholders {
            true => Placeholders::none(),
            false => Placeholders::default(),
        };
        let values = self.placeholder.iter().fold(values, Placeholders::word);
        let phones = self.placeholder_phone.iter().copied();
        let values = phones.fold(values, Placeholders::phone);
        let emails = self.placeholder_email.iter().cloned();
        emails.fold(values, Placeholders::email)
    }
}

impl StoreLimits {
    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        for (limit, given) in [
            (&mut limits.tokens_per_contact, self.tokens_per_contact),
            (&mut limits.contacts_per_token, self.contacts_per_token),
            (&mut limits.entries_per_request, self.entries_per_request),
            (&mut limits.request_text_bytes, self.request_text_bytes),
            (
                &mut limits.custom_fields_per_contact,
                self.custom_fields_per_contact,
            ),
            (&mut limits.card_text_bytes, self.card_text_bytes),
            (
                &mut limits.suppressed_identifiers,
                self.suppressed_identifiers,
            ),
            (&mut limits.waiting_requests, self.waiting_requests),
            (&mut limits.waiting_text_bytes, self.waiting_text_bytes),
        ] {
            *limit = given.unwrap_or(*limit);
        }
        limits
    }
}

fn with<T>(options: Options, given: Option<T>, set: fn(Options, T) -> Options) -> Options {
    match given {
        Some(given) => set(options, given),
        None => options,
    }
}

/// Takes one of these words.
fn word_of<T: Copy + Send + Sync + 'static>(
    known: &'static [(&'static str, T)],
) -> impl TypedValueParser<Value = T> {
    let words = known.iter().map(|(word, _)| *word);
    PossibleValuesParser::new(words).try_map(|given| {
        let mut known = known.iter();
        let meant = known.find_map(|(word, meant)| (*word == given).then_some(*meant));
        meant.ok_or("has a value that it cannot have")
    })
}

fn number(text: &str) -> Result<usize, &'static str> {
    // `parse` alone would also take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number.ok_or("must be a number without a sign")
}

fn not_blank(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("must not be blank"),
        _ => Ok(text.to_owned()),
    }
}

fn phone(text: &str) -> Result<Phone, &'static str> {
    Phone::parse(text).map_err(|_| "must be a phone")
}

fn email(text: &str) -> Result<Email, &'static str> {
    Email::parse(text).map_err(|_| "must be an email")
}
