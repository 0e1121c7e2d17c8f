//! A store with two people in it, and the tool.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use contact_store::{
    AddTokens, AppId, AppName, ConnectApp, ContactStore, ContactUpdate, Create, DedupeOn,
    ManualClock, Options, RecordReports, Report, Snapshot, Status, Timestamp, TokenEntry, Upsert,
};
use tempfile::TempDir;

pub const APP: &str = "6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f";
pub const OTHER_APP: &str = "00000000-0000-0000-0000-00000000000b";

/// What the store holds of people, and no error may show.
pub const PRIVATE: [&str; 6] = [
    "crm-1",
    "380500000001",
    "ann@example.com",
    "100200300",
    "bob@example.com",
    "Kyiv",
];

/// A folder, and the store in it.
pub struct Folder {
    pub directory: TempDir,
    pub store: PathBuf,
}

impl Folder {
    pub fn empty() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path().join("contacts.redb");
        Folder { directory, store }
    }

    /// Ann is contact 1 with everything, Bob is contact 2 with an email.
    pub fn with_people() -> Self {
        let folder = Folder::empty();
        let store = folder.create();
        let app = AppId::parse(APP).unwrap();
        let connect = ConnectApp::new(AppName::parse("Shop bot").unwrap()).id(app);
        store.connect_app(connect).wait().unwrap();
        let ann = TokenEntry::new("100200300")
            .external_customer_id("crm-1")
            .phone("380500000001")
            .email("ann@example.com");
        let bob = TokenEntry::new("100200301").email("bob@example.com");
        let added = store.add_tokens(AddTokens::new(app).entry(ann).entry(bob));
        added.wait().unwrap().outcome.entries.all().unwrap();
        let ann = ContactUpdate::new()
            .email("ann@example.com")
            .first_name("Ann")
            .field("city", "Kyiv\u{1b}[2J");
        let upserted = store.upsert(Upsert::new(DedupeOn::Email).contact(ann));
        upserted.wait().unwrap().outcome.all().unwrap();
        let sent = Report::new(Status::Sent)
            .token("100200300")
            .message("spring");
        let reported = store.record_reports(RecordReports::new(app).report(sent));
        reported.wait().unwrap().outcome.all().unwrap();
        store.close().unwrap();
        folder
    }

    pub fn create(&self) -> ContactStore {
        let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_123));
        let options = Options::default()
            .create(Create::Always)
            .clock(Arc::new(clock));
        ContactStore::open(&self.store, options).unwrap()
    }

    pub fn open(&self) -> ContactStore {
        ContactStore::open(&self.store, Options::default().create(Create::Never)).unwrap()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The names in the folder and the bytes under them, in order.
    pub fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut contents: Vec<(String, Vec<u8>)> = entries
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read(entry.path()).unwrap_or_default())
            })
            .collect();
        contents.sort();
        contents
    }

    /// Runs a command on the store: `get --email x` as `contact-store get STORE --email x`.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Ran {
        let (command, rest) = words.split_first().unwrap();
        let mut tool = tool();
        tool.arg(command).arg(&self.store).args(rest);
        ran(tool)
    }
}

/// What the library reads of a store that the tool reads, too.
pub struct Read {
    now: Snapshot,
    /// A snapshot is of an open store.
    _store: ContactStore,
}

impl Deref for Read {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.now
    }
}

pub fn snapshot(path: &Path) -> Read {
    let store = ContactStore::open(path, Options::default().read_only(true)).unwrap();
    Read {
        now: store.snapshot().unwrap(),
        _store: store,
    }
}

pub fn tool() -> Command {
    let mut tool = Command::new(env!("CARGO_BIN_EXE_contact-store"));
    tool.stdin(Stdio::null());
    tool
}

/// How a run of the tool ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

#[track_caller]
pub fn ran(mut tool: Command) -> Ran {
    let output = tool.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        status: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

impl Ran {
    /// It did what was asked, and this is what it printed.
    #[track_caller]
    pub fn printed(self) -> String {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""));
        self.stdout
    }

    /// It printed nothing and ended with this status. What it said, without the name of the tool.
    #[track_caller]
    pub fn failed(self, status: i32) -> String {
        assert_eq!(
            (self.status, self.stdout.as_str()),
            (Some(status), ""),
            "{self:?}"
        );
        let said = self.stderr.strip_prefix("contact-store: ");
        let said = said.and_then(|said| said.strip_suffix('\n'));
        let said = said.unwrap_or_else(|| panic!("{self:?}")).to_owned();
        for private in PRIVATE {
            assert!(!said.contains(private), "{private} in {said}");
        }
        said
    }
}
