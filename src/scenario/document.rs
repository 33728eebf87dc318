//! The TOML of a scenario as tables that know where they stand, so that every refusal can name line and column.
//!
//! In goes the text, out come [`Table`]s, [`Text`]s and bounded integers; each accessor checks the type and says what it
//! wanted. Left out: what the keys mean (see `load` and its siblings). Nesting is bounded by the TOML parser (80).

use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ScenarioError;
use super::position::Source;
use super::suggest::{hint, shorten};

type Result<T> = std::result::Result<T, ScenarioError>;

/// A table of the file.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    pub(crate) source: Source<'a>,
    /// The table as messages call it: `[canister.vault]`, `[[call]]`, `the scenario`.
    pub(crate) what: String,
    start: usize,
    entries: &'a DeTable<'a>,
}

/// A text of the file: unescaped, with its place.
#[derive(Clone, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) value: &'a str,
    source: Source<'a>,
    literal: Range<usize>,
}

impl Text<'_> {
    /// An error about this text as a whole.
    pub(crate) fn error(&self, text: impl Into<String>) -> ScenarioError {
        self.source.error(self.literal.start, text)
    }

    /// The line on which the text starts.
    pub(crate) fn line(&self) -> usize {
        self.source.position(self.literal.start).0
    }

    /// An error at byte `offset` of the unescaped text.
    pub(crate) fn error_at(&self, offset: usize, text: impl Into<String>) -> ScenarioError {
        self.source.error(self.source.byte_in_string(self.literal.clone(), offset), text)
    }
}

/// A value that may have one of several shapes.
#[derive(Debug)]
pub(crate) enum Item<'a> {
    Text(Text<'a>),
    Table(Table<'a>),
    /// The list as a whole, and its items.
    List(Text<'a>, Vec<Item<'a>>),
}

impl<'a> Item<'a> {
    /// The items of a list with at least one item, or the value itself.
    pub(crate) fn turns(self, items_max: usize) -> Result<Vec<Item<'a>>> {
        match self {
            Item::List(place, items) if items.is_empty() => Err(place.error("the list is empty")),
            Item::List(place, items) if items.len() > items_max => {
                Err(place.error(format!("{} items, at most {items_max} are possible", items.len())))
            }
            Item::List(_, items) => Ok(items),
            one => Ok(vec![one]),
        }
    }
}

/// Reads the TOML, without looking at any key.
pub(crate) fn parse<'a>(source: Source<'a>) -> Result<Spanned<DeTable<'a>>> {
    DeTable::parse(source.text).map_err(|error| {
        let place = error.span().map_or(0, |span| span.start);
        source.error(place, format!("not TOML: {}", error.message().trim()))
    })
}

impl<'a> Table<'a> {
    pub(crate) fn root(source: Source<'a>, document: &'a Spanned<DeTable<'a>>) -> Table<'a> {
        Table { source, what: "a scenario".to_string(), start: 0, entries: document.get_ref() }
    }

    /// An error about the table as a whole.
    pub(crate) fn error(&self, text: impl Into<String>) -> ScenarioError {
        self.source.error(self.start, text)
    }

    /// An error at a key of the table, or at the table if the key is absent.
    pub(crate) fn error_at_key(&self, key: &str, text: impl Into<String>) -> ScenarioError {
        let start = self.entries.get_key_value(key).map_or(self.start, |(key, _)| key.span().start);
        self.source.error(start, text)
    }

    /// The line of the table's header.
    pub(crate) fn line(&self) -> usize {
        self.source.position(self.start).0
    }

    /// Refuses every key that is neither in `known` nor in `later`; those of `later` with another text.
    pub(crate) fn check_keys(&self, known: &[&str], later: &[&str]) -> Result<()> {
        for (key, _) in self.in_file_order() {
            let name = key.get_ref().as_ref();
            if later.contains(&name) {
                let text = format!("`{name}` in {} is not offered yet; remove it", self.what);
                return Err(self.source.error(key.span().start, text));
            }
            if !known.contains(&name) {
                let hint = hint(name, known.iter().chain(later).copied());
                let text = format!("unknown key `{}` in {}{hint}", shorten(name), self.what);
                return Err(self.source.error(key.span().start, text));
            }
        }
        Ok(())
    }

    /// A text, if the key is there.
    pub(crate) fn text(&self, key: &str) -> Result<Option<Text<'a>>> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        self.as_text(key, value).map(Some)
    }

    /// A text that must be there; `example` shows what to write.
    pub(crate) fn required_text(&self, key: &str, example: &str) -> Result<Text<'a>> {
        self.text(key)?.ok_or_else(|| self.missing(key, example))
    }

    /// What is said of a key that must be there.
    pub(crate) fn missing(&self, key: &str, example: &str) -> ScenarioError {
        self.error(format!("{} needs `{key}`, for example `{key} = {example}`", self.what))
    }

    /// A list of texts, if the key is there; one text counts as a list of one.
    pub(crate) fn texts(&self, key: &str, items_max: usize) -> Result<Option<Vec<Text<'a>>>> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        let DeValue::Array(items) = value.get_ref() else {
            return Ok(Some(vec![self.as_text(key, value)?]));
        };
        if items.len() > items_max {
            return Err(
                self.error_at_key(key, format!("`{key}` has {} items, at most {items_max} are possible", items.len()))
            );
        }
        let texts = items.iter().map(|item| self.as_text(key, item));
        texts.collect::<Result<_>>().map(Some)
    }

    /// A list of texts, integers and booleans, if the key is there: each with its place and as a text.
    pub(crate) fn scalars(&self, key: &str, items_max: usize) -> Result<Option<Vec<(Text<'a>, String)>>> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.wrong_type(key, "a list, as in `[30, 50]`", value));
        };
        if items.len() > items_max {
            return Err(
                self.error_at_key(key, format!("`{key}` has {} items, at most {items_max} are possible", items.len()))
            );
        }
        let scalar = |item: &'a Spanned<DeValue<'a>>| {
            let text = match item.get_ref() {
                DeValue::String(text) => text.to_string(),
                DeValue::Boolean(boolean) => boolean.to_string(),
                DeValue::Integer(integer) => match i128::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(number) => number.to_string(),
                    Err(_) => return Err(self.wrong_type(key, "a list of integers that fit 128 bits", item)),
                },
                _ => return Err(self.wrong_type(key, "a list of texts, integers and booleans", item)),
            };
            Ok((Text { value: "", source: self.source, literal: item.span() }, text))
        };
        items.iter().map(scalar).collect::<Result<_>>().map(Some)
    }

    /// Line and column of a key's value, or of the table.
    pub(crate) fn place_of(&self, key: &str) -> (usize, usize) {
        self.source.position(self.entries.get(key).map_or(self.start, |value| value.span().start))
    }

    /// Every key with its text, table or list of these, in file order.
    pub(crate) fn all_items(&self, keys_max: usize) -> Result<Vec<(Text<'a>, Item<'a>)>> {
        let item = |(name, value): (Text<'a>, _)| Ok((name.clone(), self.as_item(name.value, value)?));
        self.all_keys(keys_max)?.into_iter().map(item).collect()
    }

    /// Every key with its text, in file order.
    pub(crate) fn all_texts(&self, keys_max: usize) -> Result<Vec<(Text<'a>, Text<'a>)>> {
        let text = |(name, value): (Text<'a>, _)| Ok((name.clone(), self.as_text(name.value, value)?));
        self.all_keys(keys_max)?.into_iter().map(text).collect()
    }

    fn all_keys(&self, keys_max: usize) -> Result<Vec<(Text<'a>, &'a Spanned<DeValue<'a>>)>> {
        if self.entries.len() > keys_max {
            return Err(self.error(format!("{} keys, at most {keys_max} are possible", self.entries.len())));
        }
        let name = |key: &'a Spanned<toml::de::DeString<'a>>| Text {
            value: key.get_ref(),
            source: self.source,
            literal: key.span(),
        };
        Ok(self.in_file_order().into_iter().map(|(key, value)| (name(key), value)).collect())
    }

    /// Whether the key is there.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// What kind of value the key has, as messages say it, if it is there.
    pub(crate) fn kind(&self, key: &str) -> Option<&'static str> {
        self.entries.get(key).map(|value| kind(value.get_ref()))
    }

    /// `true` or `false`, if the key is there.
    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>> {
        match self.entries.get(key).map(|value| (value, value.get_ref())) {
            None => Ok(None),
            Some((_, DeValue::Boolean(boolean))) => Ok(Some(*boolean)),
            Some((value, _)) => Err(self.wrong_type(key, "`true` or `false`", value)),
        }
    }

    /// An integer within `range`, if the key is there.
    pub(crate) fn integer(&self, key: &str, range: RangeInclusive<u32>) -> Result<Option<u32>> {
        let Some(value) = self.entries.get(key) else {
            return Ok(None);
        };
        let DeValue::Integer(integer) = value.get_ref() else {
            return Err(self.wrong_type(key, "an integer", value));
        };
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number.and_then(|number| u32::try_from(number).ok()).filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| {
            let text = format!(
                "`{key}` is {}, must be between {} and {}",
                shorten(&integer.to_string()),
                range.start(),
                range.end()
            );
            self.source.error(value.span().start, text)
        })
    }

    /// The table under `key`, as `[explore]`.
    pub(crate) fn table(&self, key: &str) -> Result<Option<Table<'a>>> {
        let Some((name, value)) = self.entries.get_key_value(key) else {
            return Ok(None);
        };
        self.as_table(format!("[{key}]"), name.span().start, value).map(Some)
    }

    /// The named tables under `key`, as `[canister.vault]`, in file order.
    pub(crate) fn named_tables(&self, key: &str, tables_max: usize) -> Result<Vec<(Text<'a>, Table<'a>)>> {
        let Some((_, value)) = self.entries.get_key_value(key) else {
            return Ok(Vec::new());
        };
        let DeValue::Table(entries) = value.get_ref() else {
            return Err(self.wrong_type(key, &format!("tables such as `[{key}.name]`"), value));
        };
        if entries.len() > tables_max {
            return Err(self.error_at_key(
                key,
                format!("{} tables `[{key}.*]`, at most {tables_max} are possible", entries.len()),
            ));
        }
        let group = Table { source: self.source, what: key.to_string(), start: self.start, entries };
        let mut tables = Vec::new();
        for (name, value) in group.in_file_order() {
            let text = Text { value: name.get_ref(), source: self.source, literal: name.span() };
            let what = format!("[{key}.{}]", shorten(text.value));
            tables.push((text, self.as_table(what, name.span().start, value)?));
        }
        Ok(tables)
    }

    /// The tables of an array of tables, as `[[call]]`, in file order.
    pub(crate) fn array_of_tables(&self, key: &str, tables_max: usize) -> Result<Vec<Table<'a>>> {
        let Some((_, value)) = self.entries.get_key_value(key) else {
            return Ok(Vec::new());
        };
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.wrong_type(key, &format!("`[[{key}]]` with two brackets"), value));
        };
        if items.len() > tables_max {
            return Err(self
                .error_at_key(key, format!("{} tables `[[{key}]]`, at most {tables_max} are possible", items.len())));
        }
        items.iter().map(|item| self.as_table(format!("[[{key}]]"), item.span().start, item)).collect()
    }

    fn as_table(&self, what: String, start: usize, value: &'a Spanned<DeValue<'a>>) -> Result<Table<'a>> {
        match value.get_ref() {
            DeValue::Table(entries) => Ok(Table { source: self.source, what, start, entries }),
            other => Err(self.source.error(value.span().start, format!("{what} must be a table, not {}", kind(other)))),
        }
    }

    fn as_item(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Result<Item<'a>> {
        match value.get_ref() {
            DeValue::String(_) => Ok(Item::Text(self.as_text(key, value)?)),
            DeValue::Table(_) => {
                Ok(Item::Table(self.as_table(format!("`{}`", shorten(key)), value.span().start, value)?))
            }
            DeValue::Array(items) => {
                let place = Text { value: "", source: self.source, literal: value.span() };
                let items = items.iter().map(|item| self.as_item(key, item));
                Ok(Item::List(place, items.collect::<Result<_>>()?))
            }
            _ => Err(self.wrong_type(key, "a text in quotes, a table or a list of these", value)),
        }
    }

    fn as_text(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Result<Text<'a>> {
        match value.get_ref() {
            DeValue::String(text) => Ok(Text { value: text, source: self.source, literal: value.span() }),
            _ => Err(self.wrong_type(key, "a text in quotes", value)),
        }
    }

    fn wrong_type(&self, key: &str, wanted: &str, value: &Spanned<DeValue<'_>>) -> ScenarioError {
        let text = format!("`{key}` must be {wanted}, not {}", kind(value.get_ref()));
        self.source.error(value.span().start, text)
    }

    fn in_file_order(&self) -> Vec<(&'a Spanned<toml::de::DeString<'a>>, &'a Spanned<DeValue<'a>>)> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
