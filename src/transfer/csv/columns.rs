//! Which column is for which field, by its header, and the update that a row asks for.
//!
//! This module does not know where rows come from, and asks no store.

use crate::error::{EntryError, JsonError};
use crate::limits::CSV_COLUMNS;
use crate::model::fault::Field;
use crate::model::identifier::ContactId;
use crate::model::text;
use crate::operations::upsert::{ContactUpdate, ValueChange};
use crate::rules::DedupeOn;
use crate::wire;

use super::super::error::RowError;
use super::cells::{check_number, unmarked, values};
use super::error::{CsvError, HeaderError};
use super::options::{CsvField, CsvOptions, EmptyCell};
use super::records::Row;

/// What the columns of a source are for.
pub(super) struct Columns {
    planned: Vec<Planned>,
    count: usize,
    /// The places of columns that are for nothing, counted from 1.
    pub(super) ignored: Vec<usize>,
}

/// A field, and the columns that may hold it, the first first.
struct Planned {
    field: CsvField,
    columns: Vec<usize>,
}

/// What a row asks for.
pub(super) struct Item {
    pub(super) update: ContactUpdate,
    /// Values of its fields beyond the first of each.
    pub(super) more_values: u64,
}

impl Columns {
    /// Reads a header.
    pub(super) fn read(header: Row<'_>, options: &CsvOptions) -> Result<Self, HeaderError> {
        if header.count > CSV_COLUMNS {
            return Err(HeaderError::TooManyColumns);
        }
        let cells = header.cells().map_err(|_| HeaderError::NotText)?;
        let headers: Vec<String> = cells.map(comparable).collect();
        let mut columns = Columns {
            planned: Vec::new(),
            count: headers.len(),
            ignored: Vec::new(),
        };
        for (place, (header, field)) in (1..).zip(&options.mappings) {
            let header = comparable(header);
            let mapped = (0..).zip(&headers).filter(|(_, of)| **of == header);
            let mapped: Vec<usize> = mapped.map(|(column, _)| column).collect();
            if mapped.is_empty() {
                return Err(HeaderError::NotMapped { mapping: place });
            }
            mapped
                .into_iter()
                .for_each(|column| columns.plan(field, column));
        }
        let mapped: Vec<CsvField> = columns.fields().cloned().collect();
        for (column, header) in headers.iter().enumerate() {
            if columns.is_planned(column) {
                continue;
            }
            match known(header) {
                Some(field) if !mapped.contains(&field) => columns.plan(&field, column),
                _ => columns.ignored.push(column.saturating_add(1)),
            }
        }
        Ok(columns)
    }

    fn plan(&mut self, field: &CsvField, column: usize) {
        let mut planned = self.planned.iter_mut();
        match planned.find(|planned| planned.field == *field) {
            Some(planned) => planned.columns.push(column),
            None => self.planned.push(Planned {
                field: field.clone(),
                columns: vec![column],
            }),
        }
    }

    fn fields(&self) -> impl Iterator<Item = &CsvField> {
        self.planned.iter().map(|planned| &planned.field)
    }

    fn is_planned(&self, column: usize) -> bool {
        let mut planned = self.planned.iter();
        planned.any(|planned| planned.columns.contains(&column))
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The number of columns that are for a field.
    pub(super) fn known(&self) -> usize {
        self.count.saturating_sub(self.ignored.len())
    }

    /// How contacts are found, by the options or else by the columns that there are.
    pub(super) fn dedupe_on(&self, options: &CsvOptions) -> Result<DedupeOn, HeaderError> {
        let has = |field| self.fields().any(|of| *of == field);
        let by_columns = match (has(CsvField::Phone), has(CsvField::Email)) {
            _ if has(CsvField::ContactId) => Some(DedupeOn::ContactId),
            (true, true) => Some(DedupeOn::PhoneThenEmail),
            (true, false) => Some(DedupeOn::Phone),
            (false, true) => Some(DedupeOn::Email),
            (false, false) => Some(DedupeOn::ExternalCustomerId),
        };
        let dedupe_on = options.dedupe_on.or(by_columns);
        let finds = match dedupe_on {
            Some(DedupeOn::ContactId) => has(CsvField::ContactId),
            Some(DedupeOn::Phone) => has(CsvField::Phone),
            Some(DedupeOn::Email) => has(CsvField::Email),
            Some(DedupeOn::PhoneThenEmail) => has(CsvField::Phone) || has(CsvField::Email),
            Some(DedupeOn::ExternalCustomerId) | None => false,
        };
        dedupe_on
            .filter(|_| finds || has(CsvField::ExternalCustomerId))
            .ok_or(HeaderError::NothingToFindBy)
    }

    /// The update that a row asks for; `None` for a row whose cells are all empty.
    ///
    /// `cells` is room that is used again.
    pub(super) fn item<'r>(
        &self,
        row: Row<'r>,
        cells: &mut Vec<&'r str>,
        options: &CsvOptions,
    ) -> Result<Option<Item>, RowError> {
        cells.clear();
        cells.extend(row.cells()?);
        if cells.iter().all(|cell| cell.is_empty()) {
            return Ok(None);
        }
        if row.count != self.count {
            return Err(RowError::Csv(CsvError::CellCount {
                found: row.count,
                expected: self.count,
            }));
        }
        let mut item = Item {
            update: ContactUpdate::new(),
            more_values: 0,
        };
        for Planned { field, columns } in &self.planned {
            let of_field = columns.iter().filter_map(|column| cells.get(*column));
            item.set(field, of_field.copied(), options)?;
        }
        Ok(Some(item))
    }
}

impl Item {
    /// Sets what the cells of one field say.
    fn set<'r>(
        &mut self,
        field: &CsvField,
        cells: impl Iterator<Item = &'r str>,
        options: &CsvOptions,
    ) -> Result<(), RowError> {
        let update = std::mem::take(&mut self.update);
        let filled = |cell: &&str| !cell.is_empty();
        let not_blank = |cell: &&str| !text::is_blank(cell);
        self.update = match field {
            CsvField::ContactId => match self.first(cells.filter(not_blank)) {
                Some(id) => {
                    check_number(Field::ContactId, id)?;
                    let id = ContactId::parse(id.trim_matches(text::is_white_space));
                    update.contact_id(id.map_err(EntryError::from)?)
                }
                None => update,
            },
            CsvField::CustomFields => match self.first(cells.filter(not_blank)) {
                Some(json) => wire::set_custom_fields(update, json, field.as_str())
                    .map_err(|error: JsonError| EntryError::from(error))?,
                None => update,
            },
            CsvField::ExternalCustomerId => {
                let id = self.first(cells.filter(not_blank));
                if let Some(id) = id {
                    check_number(Field::ExternalCustomerId, id)?;
                }
                changed(
                    update,
                    id.map(unmarked),
                    options,
                    ContactUpdate::external_customer_id,
                )
            }
            CsvField::Phone => {
                let phone = self.first(cells.flat_map(|cell| values(Field::Phone, cell)));
                let complete = |phone| {
                    check_number(Field::Phone, phone)?;
                    match &options.calling_code {
                        Some(code) => code.complete(phone),
                        None => Ok(phone.into()),
                    }
                };
                let phone = phone.map(complete).transpose()?;
                changed(update, phone.as_deref(), options, ContactUpdate::phone)
            }
            CsvField::Email => {
                let emails = cells.flat_map(|cell| values(Field::Email, unmarked(cell)));
                changed(update, self.first(emails), options, ContactUpdate::email)
            }
            CsvField::FirstName => {
                let name = self.first(cells.filter(filled)).map(unmarked);
                changed(update, name, options, ContactUpdate::first_name)
            }
            CsvField::LastName => {
                let name = self.first(cells.filter(filled)).map(unmarked);
                changed(update, name, options, ContactUpdate::last_name)
            }
            CsvField::LanguageCode => {
                let code = self.first(cells.filter(filled)).map(unmarked);
                changed(update, code, options, ContactUpdate::language_code)
            }
            CsvField::TimeZone => {
                let zone = self.first(cells.filter(filled)).map(unmarked);
                changed(update, zone, options, ContactUpdate::time_zone)
            }
            CsvField::Custom(name) => {
                let value = self.first(cells.filter(filled)).map(unmarked);
                let set = |update: ContactUpdate, change: ValueChange| update.field(name, change);
                changed(update, value, options, set)
            }
        };
        Ok(())
    }

    /// The first value. Those after it that differ are counted.
    fn first<'r>(&mut self, mut values: impl Iterator<Item = &'r str>) -> Option<&'r str> {
        let first = values.next()?;
        let more = values.filter(|value| *value != first).count() as u64;
        self.more_values = self.more_values.saturating_add(more);
        Some(first)
    }
}

/// Sets a value, or does with it what an empty cell does.
fn changed(
    update: ContactUpdate,
    value: Option<&str>,
    options: &CsvOptions,
    set: impl FnOnce(ContactUpdate, ValueChange) -> ContactUpdate,
) -> ContactUpdate {
    match (value, options.empty) {
        (Some(value), _) => set(update, value.into()),
        (None, EmptyCell::Erase) => set(update, ValueChange::Remove),
        (None, EmptyCell::Keep) => update,
    }
}

/// A header as headers are compared.
fn comparable(header: &str) -> String {
    header.trim_matches(text::is_white_space).to_lowercase()
}

/// The field that a header is known to be for. `docs` in the module has the list.
fn known(header: &str) -> Option<CsvField> {
    let field = match header {
        "contactid" => CsvField::ContactId,
        "externalcustomerid" | "external customer id" | "external id" => {
            CsvField::ExternalCustomerId
        }
        "phone" | "phone number" | "mobile phone number" | "sms" => CsvField::Phone,
        "email" | "e-mail" | "email address" | "additional email addresses" => CsvField::Email,
        "firstname" | "first name" | "given name" => CsvField::FirstName,
        "lastname" | "last name" | "family name" => CsvField::LastName,
        "languagecode" | "language code" | "language" | "preferred language" => {
            CsvField::LanguageCode
        }
        "timezone" | "time zone" => CsvField::TimeZone,
        "customfields" => CsvField::CustomFields,
        numbered => {
            let (name, number) = numbered.strip_suffix(" - value")?.rsplit_once(' ')?;
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            match name {
                "e-mail" if is_number => CsvField::Email,
                "phone" if is_number => CsvField::Phone,
                _ => return None,
            }
        }
    };
    Some(field)
}
