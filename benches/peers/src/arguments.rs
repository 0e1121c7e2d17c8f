//! What the command line asks for.

use std::path::PathBuf;
use std::process::exit;

use crate::sides;
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

const USAGE: &str = "\
usage: contact-store-peers [options]

  --sizes 10k,100k,1m   contacts in the store (default: 10k,100k,1m; 10m takes hours)
  --only a,b            these workloads alone
  --sides a,b           these sides alone (contact-store is always one of them)
  --quick               10 k contacts, few rounds: to see that it works
  --dir DIR             where the stores stand meanwhile (default: target/peers of this crate)
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
            directory: home.join("target/peers"),
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
                "--dir" => arguments.directory = value().into(),
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
        let sides = kinds.iter().map(|kind| kind.name).collect::<Vec<_>>();
        let workloads = WORKLOADS.map(|workload| workload.name);
        for (given, known) in [(&self.only, &workloads[..]), (&self.sides, &sides[..])] {
            for name in given.iter().flatten() {
                if !known.contains(&&**name) {
                    eprintln!("there is no {name}; there are: {}", known.join(", "));
                    exit(2);
                }
            }
        }
    }

    pub fn asks_for(&self, workload: &str) -> bool {
        let named = |only: &Vec<String>| only.iter().any(|name| name == workload);
        self.only.as_ref().is_none_or(named)
    }
}

fn list(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
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
