//! Without the feature `postgres` there is no schema.

use std::convert::Infallible;

use contact_store::{ContactStore, Error, Options};

use super::DATABASE;

#[derive(Clone)]
pub struct Schema(Infallible);

pub struct Held(Infallible);

impl Schema {
    #[track_caller]
    pub(super) fn new(_: String) -> Self {
        panic!("{DATABASE} is set, and the tests are built without the feature `postgres`")
    }

    pub fn open(&self, _: &Options) -> Result<ContactStore, Error> {
        match self.0 {}
    }

    pub fn flags(&self) -> [String; 4] {
        match self.0 {}
    }

    pub fn open_for(&self, _: usize, _: &Options) -> Vec<ContactStore> {
        match self.0 {}
    }

    pub fn copy(&self) -> Self {
        match self.0 {}
    }

    pub fn hold(&self) -> Held {
        match self.0 {}
    }
}

impl Held {
    pub fn wait(&self) {
        match self.0 {}
    }
}
