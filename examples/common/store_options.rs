//! What a program lets be chosen of its store: every option and every limit of the library.
//!
//! A program flattens it into its own arguments. It does not know where they are read, nor which file the
//! store is in.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use contact_store::{
    Check, Create, FailedWithoutReason, InvalidIdentifier, MatchPolicy, Options, Ownership,
    UnknownContactId,
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
    /// Bytes of memory for cached pages; 67108864 unless given
    #[arg(long, value_name = "BYTES", value_parser = number)]
    pub cache_bytes: Option<usize>,
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
        let mut options = Options::default();
        options.create = match self.create {
            true => Create::IfMissing,
            false => Create::Never,
        };
        set(&mut options.check, self.check);
        set(&mut options.cache_bytes, self.cache_bytes);
        set(&mut options.policy, self.policy);
        set(&mut options.ownership, self.ownership);
        set(&mut options.invalid_identifier, self.invalid_identifier);
        set(&mut options.unknown_contact_id, self.unknown_contact_id);
        let without_reason = self.failed_without_reason;
        set(&mut options.failed_without_reason, without_reason);
        let (limits, given) = (&mut options.limits, &self.limits);
        set(&mut limits.tokens_per_contact, given.tokens_per_contact);
        set(&mut limits.contacts_per_token, given.contacts_per_token);
        set(&mut limits.entries_per_request, given.entries_per_request);
        set(&mut limits.request_text_bytes, given.request_text_bytes);
        let fields = given.custom_fields_per_contact;
        set(&mut limits.custom_fields_per_contact, fields);
        set(&mut limits.card_text_bytes, given.card_text_bytes);
        set(&mut limits.waiting_requests, given.waiting_requests);
        set(&mut limits.waiting_text_bytes, given.waiting_text_bytes);
        options
    }
}

fn set<T>(option: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *option = given;
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
