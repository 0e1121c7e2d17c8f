//! Everything that `verify` demands of a store, beside that each row decodes: one demand a line, with
//! what is reported where it is not met.
//!
//! The demands of a table stand in the order in which they are checked.

use super::super::tables::Table;

/// What a sound store meets.
#[derive(Clone, Copy)]
pub(super) struct Demand {
    /// The table in which it is reported.
    pub(super) table: Table,
    /// What is wrong where it is not met.
    pub(super) breach: &'static str,
}

/// Makes a constant of each line.
macro_rules! demands {
    ($($table:ident { $($name:ident: $breach:literal)* })*) => {
        $($(pub(super) const $name: Demand = Demand { table: Table::$table, breach: $breach };)*)*
    };
}

demands! {
    // The state of the indexes, and their log.
    Meta {
        INDEX_STATE_IS_READABLE: "where the indexes stand cannot be read"
        BUCKETS_ARE_THOSE_OF_LOOKUPS: "the buckets are not those that look-ups read"
    }
    IndexLog {
        LOG_ROW_IS_IN_THE_LOG: "the row is outside of the log"
    }
    // Each row of the change feed.
    Changes {
        CHANGES_ARE_OF_A_REQUEST_MADE: "the request was not made yet"
        PARTS_OF_A_REQUEST_FOLLOW_EACH_OTHER: "a part of the request is missing before the row"
        CHANGE_IS_OF_A_KNOWN_APP: "a change is of an app that there is not"
        CHANGE_LEADS_TO_THE_ONE_BEFORE: "a change does not lead to the one before it of its contact"
        NOTHING_IS_LEFT_BEFORE_AN_ERASURE: "changes are left of a contact that was erased after them"
    }
    Meta {
        CHANGES_ARE_COUNTED: "the changes are miscounted"
        NEWEST_CHANGE_IS_NOTED: "the newest change is not the one noted"
    }
    // Each card.
    Contacts {
        CARD_LEADS_TO_ITS_LAST_CHANGE: "the card does not lead to its last change"
        CARD_DOES_NOT_REPEAT_ITS_ID: "the card repeats its id"
        IDENTIFIER_IS_IN_ITS_INDEX: "an identifier is missing in its index"
        LOOKUP_FINDS_THE_CARD: "a look-up does not find the row"
        IDENTIFIERS_ARE_CANONICAL: "an identifier is not in canonical form"
        TOKEN_IS_ON_THE_CARD_ONCE: "a token is on the card twice"
        SUBSCRIBER_NAMES_THE_CONTACT: "a token's subscriber does not name the contact"
        CONTACT_ID_IS_TAKEN: "the id is not among those taken"
        NO_IDENTIFIER_IS_SUPPRESSED: "an identifier is suppressed"
    }
    // Each subscriber.
    Subscribers {
        TOKEN_IS_IN_ITS_INDEX: "the token is missing in its index"
        LOOKUP_FINDS_THE_SUBSCRIBER: "a look-up does not find the row"
        TOKEN_HAS_A_HOLDER: "no contact holds the token"
        CONTACT_HOLDS_THE_TOKEN_ONCE: "a contact holds the token twice"
        HOLDER_HAS_THE_TOKEN_ON_ITS_CARD: "a contact that holds the token does not have it on its card"
    }
    // Each entry of the indexes, and their counts.
    Index {
        ENTRY_LEADS_TO_ITS_VALUE: "an entry leads to a row without such a value"
        VALUE_IS_IN_ONE_ROW: "two rows have the same value"
    }
    Meta {
        INDEX_ENTRIES_ARE_COUNTED: "the entries of the indexes are miscounted"
    }
    // Each bucket.
    Index {
        BUCKET_IS_WHERE_LOOKUPS_READ: "the bucket is not where look-ups read it"
        BUCKET_IS_NOT_EMPTY: "the bucket is empty"
    }
    // Each app and its tally.
    Apps {
        APP_NUMBER_IS_OF_ONE_APP: "two apps have one number"
        APP_IS_IN_THE_DIRECTORY: "the app is not in the directory"
    }
    Meta {
        CONNECTED_AS_THE_APPS_SAY: "connected or not, the apps say otherwise"
        TALLY_IS_OF_ITS_APP: "the tally is of another app"
        APP_NUMBER_WAS_GIVEN_OUT: "the number was not given out yet"
        CONTACTS_OF_APP_ARE_COUNTED: "the contacts are miscounted"
        SUBSCRIBERS_OF_APP_ARE_COUNTED: "the subscribers are miscounted"
        SUBSCRIBER_ID_WAS_GIVEN_OUT: "a subscriber id was not given out yet"
        NOTHING_IS_LEFT_OF_A_GONE_APP: "the app is gone, and tokens of it are left"
    }
    Apps {
        APP_HAS_A_TALLY: "the app has no tally"
    }
    Meta {
        TOKENS_ARE_OF_AN_APP_WITH_A_TALLY: "tokens are of an app that has no tally"
        CREATED_THROUGH_AN_APP_WITH_A_TALLY: "contacts were created through an app that has no tally"
    }
    // Each tally of a message.
    Messages {
        MESSAGE_IS_OF_AN_APP: "the message is of an app that there is not"
    }
    // Each run of taken contact ids.
    TakenIds {
        RUN_IS_AT_OR_ABOVE_THE_COUNTER: "the run is below the counter"
        RUN_ENDS_AFTER_ITS_BEGINNING: "the run ends before it begins"
        RUNS_DO_NOT_TOUCH: "the run touches the one before it"
        TAKEN_IDS_ARE_THOSE_OF_ALL_CONTACTS: "not as many ids are taken as there are and were contacts"
    }
    // Each former subscriber id.
    FormerIds {
        FORMER_ID_LEADS_TO_A_GIVEN_ID: "the former id leads to an id that was not given out"
    }
    // The contacts that the change feed names.
    Changes {
        CHANGES_ARE_OF_A_CONTACT: "changes are left of a contact that there is not"
    }
    // Each token that FAILED removed and that is remembered, and each entry that leads to one.
    Blocked {
        RECORD_HAS_A_NUMBER_IN_USE: "the number is not one of those in use"
        RECORD_IS_FOUND_BY_ITS_TOKEN: "its token does not lead to it"
        RECORD_IS_FOUND_BY_ITS_CONTACTS: "a contact does not lead to it"
        REMEMBERED_CONTACTS_EXIST: "a contact does not exist"
        REMEMBERED_CONTACTS_ARE_DIFFERENT: "it names a contact twice, or none"
        REMEMBERED_TOKEN_IS_GONE: "its token is a subscriber"
        REMEMBERED_APP_IS_NOT_GONE: "its app is gone"
    }
    BlockedIndex {
        ENTRY_LEADS_TO_ITS_RECORD: "an entry leads to a record that is not its own"
    }
    // Each answer, and each idempotency key.
    Answers {
        ANSWER_IS_OF_A_REQUEST_MADE: "the request was not made yet"
        ANSWER_HAS_ITS_KEY: "no idempotency key leads to the answer, or to a later one"
    }
    AnswerKeys {
        KEY_LEADS_TO_ITS_ANSWER: "the idempotency key does not lead to its answer"
    }
    // Each pair of contacts in the list of conflicts.
    Conflicts {
        PAIR_HAS_ITS_MIRROR: "the pair and its mirror are not both there"
        PAIR_IS_OF_CONTACTS: "a contact of the pair does not exist"
    }
    // Each merged id, and each record of a merge.
    MergedIds {
        MERGED_ID_IS_TAKEN: "the merged id is not among those taken"
        MERGED_ID_IS_OF_NO_CONTACT: "the merged id is that of a contact"
        MERGED_ID_LEADS_TO_A_CONTACT: "the merged id leads to no contact"
        MERGED_ID_HAS_A_RECORD: "the merged id has no record of its merge"
    }
    Merges {
        RECORD_IS_OF_A_MERGED_ID: "the record of a merge is not where its id leads"
        IDS_LEAD_TO_THE_SAME: "an id in the record of a merge leads elsewhere"
        MERGED_TOKEN_IS_IN_THE_RECORD_ONCE: "a token is in the record of a merge twice"
        MERGED_IDENTIFIER_IS_FOUND: "an identifier in the record of a merge does not lead to it"
        NO_MERGED_IDENTIFIER_IS_SUPPRESSED: "an identifier in the record of a merge is suppressed"
        MERGES_ARE_WITHIN_THE_LIMIT: "more contacts are merged into one than may be"
    }
    MergeIdentifiers {
        ENTRY_LEADS_TO_A_MERGED_IDENTIFIER: "an entry leads to a merged contact that did not have the identifier"
    }
    // The counters of the store.
    Meta {
        CONTACTS_ARE_COUNTED: "the contacts are miscounted"
        MUTED_SUBSCRIBERS_ARE_COUNTED: "the muted subscribers are miscounted"
        SUPPRESSED_IDENTIFIERS_ARE_COUNTED: "the suppressed identifiers are miscounted"
        REMEMBERED_TOKENS_ARE_COUNTED: "the tokens that FAILED removed are miscounted"
        CONFLICTS_ARE_COUNTED: "the conflicts are miscounted"
    }
}
