//! What the command line asks for.

use std::path::PathBuf;
use std::process::exit;

use crate::sides;
use crate::sides::contact_store::OURS;
use crate::workloads::WORKLOADS;

pub struct Arguments {
    pub sizes: Vec<u64>,
    pub only: Option<Vec<String>>,
    pub sides: Option<Vec<String>>,
    /// Little of everything, to see that it works.
    pub quick: bool,
    /// Where the stores stand meanwhile: on a real disk.
    pub directory: PathBuf,
    /// Where the results go.
    pub out: PathBuf,
    /// Another build of this program, whose contact-store is measured too.
    pub baseline: Option<PathBuf>,
}

/// The directory of a run, which is removed before and after it with all that is in it.
const STORES: &str = "contact-store-peers.stores";

const USAGE: &str = "\
usage: contact-store-peers [options]

  --sizes 10k,100k,1m   contacts in the store (default: 10k,100k,1m; 10m takes hours)
  --only a,b            the workloads whose names contain these: find,bulk-load,64
  --sides a,b           these sides alone, beside contact-store: lmdb,contact-store-64-mib
  --quick               10 k contacts, few rounds: to see that it works
  --dir DIR             where the stores stand meanwhile (default: target of this crate)
  --out DIR             where the results go (default: results of this crate)
  --baseline PROGRAM    another build of this program, whose contact-store is loaded and opened too
";

impl Arguments {
    pub fn read() -> Self {
        let home = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let mut arguments = Arguments {
            sizes: Vec::new(),
            only: None,
            sides: None,
            quick: false,
            directory: home.join("target").join(STORES),
            out: home.join("results"),
            baseline: None,
        };
        let mut given = std::env::args().skip(1);
        while let Some(flag) = given.next() {
            let mut value = || given.next().unwrap_or_else(|| refuse(&flag));
            match &*flag {
                "--sizes" => arguments.sizes = list(&value()).iter().map(|it| size(it)).collect(),
                "--only" => arguments.only = Some(list(&value())),
                "--sides" => arguments.sides = Some(list(&value())),
                "--quick" => arguments.quick = true,
                "--dir" => arguments.directory = PathBuf::from(value()).join(STORES),
                "--out" => arguments.out = value().into(),
                "--baseline" => arguments.baseline = Some(value().into()),
                _ => refuse(&flag),
            }
        }
        if arguments.sizes.is_empty() {
            let sizes: &[u64] = if arguments.quick {
                &[10_000]
            } else {
                &[10_000, 100_000, 1_000_000]
            };
            arguments.sizes = sizes.to_vec();
        }
        arguments.sizes.sort_unstable();
        arguments.assert_known();
        arguments
    }

    /// Refuses names that nothing has, which would measure less than was asked for.
    fn assert_known(&self) {
        let kinds = sides::all();
        let sides: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
        let workloads = WORKLOADS.map(|workload| workload.name);
        assert_all_known(&self.only, &workloads, names_workload);
        assert_all_known(&self.sides, &sides, names_side);
    }

    pub fn asks_for(&self, workload: &str) -> bool {
        let named = |only: &Vec<String>| only.iter().any(|name| names_workload(name, workload));
        self.only.as_ref().is_none_or(named)
    }

    pub fn asks_for_side(&self, side: &str) -> bool {
        let named = |sides: &Vec<String>| sides.iter().any(|name| names_side(name, side));
        side == OURS || self.sides.as_ref().is_none_or(named)
    }
}

fn assert_all_known(given: &Option<Vec<String>>, known: &[&str], names: fn(&str, &str) -> bool) {
    for name in given.iter().flatten() {
        if !known.iter().any(|known| names(name, known)) {
            let known: Vec<String> = known.iter().map(|name| slug(name)).collect();
            eprintln!("there is no {name}; there are: {}", known.join(", "));
            exit(2);
        }
    }
}

fn names_workload(given: &str, workload: &str) -> bool {
    slug(workload).contains(&slug(given))
}

fn names_side(given: &str, side: &str) -> bool {
    slug(side) == slug(given)
}

/// A name without what a shell or a file system would trip over.
pub fn slug(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let words = lower.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("-")
}

fn list(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// `10k`, `1m`, or digits.
fn size(text: &str) -> u64 {
    let lower = text.to_ascii_lowercase();
    let (digits, times) = match lower.strip_suffix('k') {
        Some(digits) => (digits, 1_000),
        None => match lower.strip_suffix('m') {
            Some(digits) => (digits, 1_000_000),
            None => (&*lower, 1),
        },
    };
    let size = digits.parse::<u64>().ok().map(|number| number * times);
    // People are made up from numbers below 2^30, and everything needs a few of them.
    size.filter(|size| (1_000..500_000_000).contains(size))
        .unwrap_or_else(|| refuse(text))
}

fn refuse(what: &str) -> ! {
    eprintln!("cannot read {what}\n\n{USAGE}");
    exit(2);
}
