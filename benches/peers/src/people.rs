//! People made up from a number: the same number, the same person, in every run.

use crate::numbers::shuffled;

pub use crate::numbers::mix;

/// One entry of a request to add tokens, as a caller has it: text, owned.
#[derive(Clone)]
pub struct Entry {
    pub token: String,
    pub external_id: String,
    pub phone: String,
    pub email: String,
}

/// The identifiers that a caller looks somebody up by.
#[derive(Clone, Default)]
pub struct Given {
    pub external_id: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
}

/// What a side knows of somebody, for comparing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub external_id: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    pub tokens: Vec<String>,
}

/// Somebody with an identifier of each kind and a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Person(pub u64);

impl Person {
    /// What every side gives them that is filled in order.
    pub fn contact_id(self) -> u64 {
        self.0 + 1
    }

    pub fn external_id(self) -> String {
        format!("shop-{:010}", shuffled(self.0, 1))
    }

    /// In canonical form.
    pub fn phone(self) -> String {
        format!("380{:010}", shuffled(self.0, 2))
    }

    pub fn email(self) -> String {
        format!("person.{}@example.com", shuffled(self.0, 3))
    }

    pub fn token(self) -> String {
        (1_000_000_000 + shuffled(self.0, 4)).to_string()
    }

    pub fn entry(self) -> Entry {
        Entry {
            token: self.token(),
            external_id: self.external_id(),
            phone: self.phone(),
            email: self.email(),
        }
    }

    pub fn by_external_id(self) -> Given {
        Given {
            external_id: Some(self.external_id()),
            ..Given::default()
        }
    }

    pub fn by_phone(self) -> Given {
        Given {
            phone: Some(self.phone()),
            ..Given::default()
        }
    }

    pub fn by_email(self) -> Given {
        Given {
            email: Some(self.email()),
            ..Given::default()
        }
    }

    /// By all three kinds.
    pub fn by_all(self) -> Given {
        Given {
            external_id: Some(self.external_id()),
            phone: Some(self.phone()),
            email: Some(self.email()),
        }
    }

    /// What a side must know of them once their token is added.
    pub fn known(self) -> Known {
        Known {
            external_id: Some(self.external_id()),
            phone: Some(self.phone()),
            email: Some(self.email()),
            tokens: vec![self.token()],
        }
    }
}

/// Numbers below `size` by Zipf's law: few of them often, most of them seldom (the generator of Gray
/// et al., as YCSB has it). The often ones stand anywhere among the others.
pub struct Zipf {
    size: u64,
    theta: f64,
    alpha: f64,
    zeta: f64,
    eta: f64,
}

impl Zipf {
    pub fn new(size: u64, theta: f64) -> Self {
        let zeta = |of: u64| -> f64 { (1..=of).map(|rank| (rank as f64).powf(-theta)).sum() };
        let all = zeta(size);
        Zipf {
            size,
            theta,
            alpha: 1.0 / (1.0 - theta),
            zeta: all,
            eta: (1.0 - (2.0 / size as f64).powf(1.0 - theta)) / (1.0 - zeta(2) / all),
        }
    }

    /// The number drawn by the random number `random`.
    pub fn draw(&self, random: u64) -> u64 {
        let uniform = (random >> 11) as f64 / (1_u64 << 53) as f64;
        let scaled = uniform * self.zeta;
        let rank = if scaled < 1.0 {
            0
        } else if scaled < 1.0 + 0.5_f64.powf(self.theta) {
            1
        } else {
            (self.size as f64 * (self.eta * uniform - self.eta + 1.0).powf(self.alpha)) as u64
        };
        mix(rank.min(self.size - 1)) % self.size
    }
}
