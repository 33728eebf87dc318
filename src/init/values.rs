//! Plausible values of a Candid type, as texts: small amounts, people of the scenario, short names.
//!
//! In: a type and a [`Palette`]. Out: Candid texts, in which `${name}` stands for a principal, the most plausible first and
//! none twice; and for the argument of an installation a [`Template`] with places to be decided. Left out: values at the
//! limits of their types, nearly all of which a canister refuses.

use candid::types::{Field, Label, Type, TypeEnv, TypeInner};

/// Deepest nesting of a value.
const DEPTH_MAX: usize = 8;
/// Most values of a part of a type.
const PARTS_MAX: usize = 12;

/// What values are made of.
#[derive(Clone, Debug)]
pub(super) struct Palette {
    /// Amounts.
    pub(super) numbers: Vec<u64>,
    /// Names of actors and canisters.
    pub(super) people: Vec<String>,
    /// Texts, without quotes.
    pub(super) texts: Vec<String>,
}

/// A Candid text with places at which one of several texts stands.
#[derive(Clone, Debug)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Place(Vec<String>),
}

impl Template {
    /// The text with nothing to decide.
    pub(super) fn fixed(text: &str) -> Template {
        Template { parts: vec![Part::Text(text.to_string())] }
    }

    /// The arguments of an installation. Each amount, principal and text is a place: an amount is `amount` or 0, a principal
    /// a canister of its own (`peer1`, `peer2`, ...) or `owner`, and so is a text, which may also be a word.
    pub(super) fn of_init(types: &[Type], env: &TypeEnv, amount: u64, owner: &str) -> Option<Template> {
        let mut making = Making { env, amount, owner, peers: 0, template: Template { parts: Vec::new() } };
        making.text("(");
        for (at, ty) in types.iter().enumerate() {
            making.text(if at > 0 { ", " } else { "" });
            making.value(ty, DEPTH_MAX)?;
        }
        making.text(")");
        Some(making.template)
    }

    /// How many texts may stand at each place.
    pub(super) fn places(&self) -> Vec<usize> {
        let place = |part: &Part| if let Part::Place(texts) = part { Some(texts.len()) } else { None };
        self.parts.iter().filter_map(place).collect()
    }

    /// The text with these choices, one for each place.
    pub(super) fn text(&self, choices: &[usize]) -> String {
        let mut choices = choices.iter();
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Place(texts) => texts[choices.next().copied().unwrap_or(0)].clone(),
        };
        self.parts.iter().map(text).collect()
    }
}

struct Making<'a> {
    env: &'a TypeEnv,
    amount: u64,
    owner: &'a str,
    peers: usize,
    template: Template,
}

impl Making<'_> {
    fn text(&mut self, text: &str) {
        match self.template.parts.last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            _ => self.template.parts.push(Part::Text(text.to_string())),
        }
    }

    fn peer(&mut self) -> String {
        self.peers += 1;
        format!("${{peer{}}}", self.peers)
    }

    fn value(&mut self, ty: &Type, depth: usize) -> Option<()> {
        let ty = self.env.trace_type(ty).ok().filter(|_| depth > 0)?;
        match ty.as_ref() {
            TypeInner::Principal => {
                let (peer, owner) = (self.peer(), self.owner);
                let texts = vec![format!("principal \"{peer}\""), format!("principal \"${{{owner}}}\"")];
                self.template.parts.push(Part::Place(texts));
            }
            TypeInner::Service(_) => {
                let peer = self.peer();
                self.text(&format!("service \"{peer}\""));
            }
            TypeInner::Text => {
                let peer = self.peer();
                self.template.parts.push(Part::Place(vec!["\"a\"".to_string(), format!("\"{peer}\"")]));
            }
            TypeInner::Record(fields) => {
                self.text("record { ");
                for (at, field) in fields.iter().enumerate() {
                    self.text(&format!("{}{}", if at > 0 { "; " } else { "" }, field_name(at, &field.id)));
                    self.value(&field.ty, depth - 1)?;
                }
                self.text(" }");
            }
            TypeInner::Vec(inner) if !ty.is_blob(self.env) => {
                self.text("vec { ");
                self.value(inner, depth - 1)?;
                self.text(" }");
            }
            _ => {
                let palette = Palette {
                    numbers: vec![self.amount, 0],
                    people: vec![self.owner.to_string()],
                    texts: vec!["a".to_string()],
                };
                let mut texts = of_type(&ty, self.env, &palette, depth);
                texts.truncate(2);
                match texts.len() {
                    0 => return None,
                    1 => self.text(&texts[0]),
                    _ => self.template.parts.push(Part::Place(texts)),
                }
            }
        }
        Some(())
    }
}

/// Lists of arguments of these types, at most `most`; none if a type has no value here.
pub(super) fn arguments(types: &[Type], env: &TypeEnv, palette: &Palette, most: usize) -> Vec<String> {
    let lists: Vec<Vec<String>> = types.iter().map(|ty| of_type(ty, env, palette, DEPTH_MAX)).collect();
    combinations(&lists, most).into_iter().map(|list| format!("({})", list.join(", "))).collect()
}

fn of_type(ty: &Type, env: &TypeEnv, palette: &Palette, depth: usize) -> Vec<String> {
    let Ok(ty) = env.trace_type(ty) else { return Vec::new() };
    let numbers = |word: &str, max: u64| -> Vec<String> {
        let fitting = palette.numbers.iter().filter(|n| **n <= max);
        fitting.map(|n| format!("{n} : {word}")).collect()
    };
    let mut values = match ty.as_ref() {
        TypeInner::Null => vec!["null".to_string()],
        TypeInner::Reserved => vec!["null : reserved".to_string()],
        TypeInner::Bool => vec!["true".to_string(), "false".to_string()],
        TypeInner::Nat => numbers("nat", u64::MAX),
        TypeInner::Int => numbers("int", u64::MAX),
        TypeInner::Nat8 => numbers("nat8", u64::from(u8::MAX)),
        TypeInner::Nat16 => numbers("nat16", u64::from(u16::MAX)),
        TypeInner::Nat32 => numbers("nat32", u64::from(u32::MAX)),
        TypeInner::Nat64 => numbers("nat64", u64::MAX),
        TypeInner::Int8 => numbers("int8", i8::MAX as u64),
        TypeInner::Int16 => numbers("int16", i16::MAX as u64),
        TypeInner::Int32 => numbers("int32", i32::MAX as u64),
        TypeInner::Int64 => numbers("int64", i64::MAX as u64),
        TypeInner::Float32 | TypeInner::Float64 => {
            let word = if matches!(ty.as_ref(), TypeInner::Float32) { "float32" } else { "float64" };
            palette.numbers.iter().map(|n| format!("{n}.0 : {word}")).collect()
        }
        TypeInner::Text => palette.texts.iter().map(|text| format!("{text:?}")).collect(),
        TypeInner::Principal => palette.people.iter().map(|name| format!("principal \"${{{name}}}\"")).collect(),
        TypeInner::Service(_) => palette.people.iter().map(|name| format!("service \"${{{name}}}\"")).collect(),
        _ if depth == 0 => Vec::new(),
        TypeInner::Opt(inner) => {
            let some = of_type(inner, env, palette, depth - 1).into_iter().map(|text| format!("opt ({text})"));
            std::iter::once("null".to_string()).chain(some).collect()
        }
        TypeInner::Vec(_) if ty.is_blob(env) => vec!["blob \"a\"".to_string(), "blob \"\"".to_string()],
        TypeInner::Vec(inner) => {
            let one = of_type(inner, env, palette, depth - 1).into_iter().map(|text| format!("vec {{ {text} }}"));
            one.chain(std::iter::once("vec { }".to_string())).collect()
        }
        TypeInner::Record(fields) => {
            let lists: Vec<Vec<String>> =
                fields.iter().map(|field| of_type(&field.ty, env, palette, depth - 1)).collect();
            let field = |(at, text): (usize, String)| format!("{}{text}", field_name(at, &fields[at].id));
            let record = |texts: Vec<String>| {
                let fields: Vec<String> = texts.into_iter().enumerate().map(field).collect();
                format!("record {{ {} }}", fields.join("; "))
            };
            combinations(&lists, PARTS_MAX).into_iter().map(record).collect()
        }
        TypeInner::Variant(fields) => variants(fields, env, palette, depth),
        _ => Vec::new(),
    };
    values.truncate(PARTS_MAX);
    values
}

/// Each label with its first payload, then each with its second, and so on.
fn variants(fields: &[Field], env: &TypeEnv, palette: &Palette, depth: usize) -> Vec<String> {
    let of_label = |field: &Field| -> Vec<String> {
        let payloads = of_type(&field.ty, env, palette, depth - 1);
        let text = |payload: String| match payload.as_str() {
            "null" => format!("variant {{ {} }}", label(&field.id)),
            _ => format!("variant {{ {} = {payload} }}", label(&field.id)),
        };
        payloads.into_iter().map(text).collect()
    };
    let lists: Vec<Vec<String>> = fields.iter().map(of_label).collect();
    let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|at| lists.iter().filter_map(move |list| list.get(at).cloned())).collect()
}

/// Words that Candid reads as something else than a name.
const KEYWORDS: &[&str] = &[
    "blob",
    "bool",
    "composite_query",
    "empty",
    "false",
    "float32",
    "float64",
    "func",
    "import",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "nat",
    "nat16",
    "nat32",
    "nat64",
    "nat8",
    "null",
    "oneway",
    "opt",
    "principal",
    "query",
    "record",
    "reserved",
    "service",
    "text",
    "true",
    "type",
    "variant",
    "vec",
];

/// What stands before the value of a field: nothing if it is the next one of a tuple.
fn field_name(at: usize, id: &Label) -> String {
    if id.get_id() as usize == at { String::new() } else { format!("{} = ", label(id)) }
}

/// The name of a field as a text says it.
fn label(label: &Label) -> String {
    let is_word = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !KEYWORDS.contains(&name)
    };
    match label {
        Label::Named(name) if is_word(name) => name.clone(),
        Label::Named(name) => format!("{name:?}"),
        Label::Id(id) | Label::Unnamed(id) => id.to_string(),
    }
}

/// At most so many combinations of one value of each list: the first of each, then those in which one list has another
/// value than its first, then those in which all go on together.
fn combinations(lists: &[Vec<String>], most: usize) -> Vec<Vec<String>> {
    if lists.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let longest = lists.iter().map(Vec::len).max().unwrap_or(1);
    let mut chosen = vec![vec![0; lists.len()]];
    for at in 1..longest {
        for which in 0..lists.len() {
            let mut one = vec![0; lists.len()];
            one[which] = at;
            chosen.push(one);
        }
    }
    chosen.extend((1..longest).map(|at| lists.iter().map(|list| at % list.len()).collect::<Vec<usize>>()));
    chosen.retain(|at| at.iter().zip(lists).all(|(at, list)| *at < list.len()));
    let mut texts: Vec<Vec<String>> = Vec::new();
    for at in chosen {
        let text: Vec<String> = at.iter().zip(lists).map(|(at, list)| list[*at].clone()).collect();
        if texts.len() < most && !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn palette() -> Palette {
        Palette { numbers: vec![10, 300], people: vec!["bob".to_string()], texts: vec!["a".to_string()] }
    }

    fn types(text: &str) -> (TypeEnv, Vec<Type>) {
        let did = format!("type List = opt record {{ nat8; List }};\nservice : {{ m : ({text}) -> () }}");
        let mut env = TypeEnv::new();
        let service = candid_parser::check_prog(&mut env, &did.parse().unwrap()).unwrap().unwrap();
        let types = env.get_method(&service, "m").unwrap().args.clone();
        (env, types)
    }

    fn of(text: &str) -> Vec<String> {
        let (env, types) = types(text);
        arguments(&types, &env, &palette(), 8)
    }

    #[test]
    fn values_are_small_and_fit_their_types() {
        assert_eq!(of("nat8"), ["(10 : nat8)"]);
        assert_eq!(
            of("nat64, bool"),
            ["(10 : nat64, true)", "(300 : nat64, true)", "(10 : nat64, false)", "(300 : nat64, false)"]
        );
        assert_eq!(of("opt principal"), ["(null)", "(opt (principal \"${bob}\"))"]);
        assert_eq!(of("variant { A; B : nat8 }"), ["(variant { A })", "(variant { B = 10 : nat8 })"]);
        assert_eq!(of("record { text; vec nat8 }")[0], "(record { \"a\"; blob \"a\" })");
        assert_eq!(of("List")[..2], ["(null)", "(opt (record { 10 : nat8; null }))"]);
        assert_eq!(of("empty"), [""; 0]);
    }

    #[test]
    fn principals_of_an_installation_are_canisters_until_it_is_known_who_they_are() {
        let (env, types) = types("principal, record { owner : principal; start : nat64 }, opt nat8");
        let template = Template::of_init(&types, &env, 100, "alice").unwrap();
        assert_eq!(template.places(), [2, 2, 2, 2]);
        let first = "(principal \"${peer1}\", record { owner = principal \"${peer2}\"; start = 100 : nat64 }, null)";
        assert_eq!(template.text(&[0, 0, 0, 0]), first);
        let other =
            "(principal \"${peer1}\", record { owner = principal \"${alice}\"; start = 0 : nat64 }, opt (100 : nat8))";
        assert_eq!(template.text(&[0, 1, 1, 1]), other);
    }
}
