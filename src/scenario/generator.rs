//! Generators of a call: `gen.amt = { pick = [30, 50] }`, `gen.to = { type = "principal" }`, `gen.args = { count = 4 }`.
//!
//! In: the table of a call. Out: [`Generator`]s with their fillings, or with the type that these are generated from when
//! the setup has run and its values are known.

use candid::types::Type;
use candid::types::value::IDLValue;
use candid_parser::syntax::IDLType;

use super::candid_text::{check_size, describe};
use super::document::{Table, Text};
use super::error::ScenarioError;
use super::filling::Filling;
use super::generate::{self, Known};
use super::interface::{Interface, MethodTypes};
use super::names::{Names, check_name};
use super::open::Kind;
use super::suggest::shorten;

/// Most generators of one call.
const GENERATORS_MAX: usize = 8;
/// Most values of one generator, and most arguments of one call.
pub(crate) const VARIANTS_MAX: usize = 64;
/// Values of a type if the file does not say how many.
const COUNT: u32 = 4;
/// The generator of a whole list of arguments.
pub(crate) const ARGUMENTS: &str = "args";

/// Where the values of a name come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generator {
    pub(crate) name: String,
    source: Source,
    pub(crate) fillings: Vec<Filling>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    /// These values and no other.
    Pick,
    /// So many values of a type, which may use the definitions of the canister's `did`.
    Type(String, Option<MethodTypes>, usize),
    /// So many lists of arguments of a method.
    Arguments(MethodTypes, usize),
}

impl Generator {
    /// What its values may be beside those that are tried; nothing if it has a list.
    pub(super) fn kind(&self) -> Result<Option<Kind>, String> {
        match &self.source {
            Source::Pick => Ok(None),
            Source::Type(text, did, _) => {
                let interface = did.as_ref().map(MethodTypes::interface);
                let (ty, env) = parse_type(text, interface.as_ref())?;
                Ok(Some(Kind { types: vec![ty], env, is_list: false }))
            }
            Source::Arguments(method, _) => method.arguments().map(Some),
        }
    }

    /// The same with its values, now that it is known what canisters have given.
    pub(crate) fn settled(&self, names: &Names, seed: u64, values: &[IDLValue]) -> Result<Generator, String> {
        let principals: Vec<_> = names.actors.iter().map(|(_, id)| *id).collect();
        let known = Known { principals: &principals, values, seed };
        let fillings = match &self.source {
            Source::Pick => self.fillings.clone(),
            Source::Type(text, did, count) => {
                let interface = did.as_ref().map(MethodTypes::interface);
                let (ty, env) = parse_type(text, interface.as_ref())?;
                let values = generate::values(&ty, &env, &known, *count);
                let fillings = values.iter().map(|value| Filling::of_value(value, names));
                let fillings: Vec<Filling> = fillings.collect::<Result<_, _>>()?;
                if fillings.is_empty() {
                    return Err(format!("no value of type `{}` can be generated; write a `pick`", shorten(text)));
                }
                fillings
            }
            Source::Arguments(method, count) => {
                let interface = method.interface();
                let (signature, _) = interface.method(method.name())?;
                let lists = generate::arguments(signature.types, signature.env, &known, *count);
                if lists.is_empty() {
                    return Err(format!("no arguments of {} can be generated; write `args`", signature.what));
                }
                lists.iter().map(|list| Filling::of_arguments(list)).collect::<Result<_, _>>()?
            }
        };
        Ok(Generator { fillings, ..self.clone() })
    }
}

fn parse_type(text: &str, did: Option<&Interface>) -> Result<(Type, candid::TypeEnv), String> {
    check_size(text).map_err(|(_, problem)| problem)?;
    let describe = |error| format!("not a Candid type: {}", describe(&error).1);
    let env = did.map_or_else(Default::default, |did| did.definitions().clone());
    let ast: IDLType = text.parse().map_err(describe)?;
    let ty = candid_parser::typing::ast_to_type(&env, &ast).map_err(describe)?;
    Ok((ty, env))
}

/// Reads the generators of a call. `types` are those of its method, if they are known; `has_args` whether it has `args`.
pub(crate) fn read(
    table: &Table<'_>,
    names: &Names,
    types: Option<&MethodTypes>,
    canister: &str,
    has_args: bool,
) -> Result<Vec<Generator>, ScenarioError> {
    let mut generators = Vec::new();
    for (name, spec) in table.named_tables("gen", GENERATORS_MAX)? {
        check_name(name.value).map_err(|problem| name.error(problem))?;
        if names.principal(name.value).is_ok() {
            return Err(name.error(format!("`{0}` is also an actor or a canister; rename `gen.{0}`", name.value)));
        }
        let is_whole = name.value == ARGUMENTS && !has_args;
        if !is_whole && !has_args {
            return Err(name.error(format!(
                "`gen.{}` needs `args` that use it; only `gen.args = {{ count = 4 }}` makes them itself",
                name.value
            )));
        }
        let generator = if is_whole {
            arguments(&name, &spec, types, canister)?
        } else {
            spec.check_keys(&["pick", "type", "count"], &[])?;
            match (spec.scalars("pick", VARIANTS_MAX)?, spec.text("type")?) {
                (Some(_), None) if spec.has("count") => {
                    return Err(spec.error_at_key("count", "`count` belongs to `type`; remove it"));
                }
                (Some(picked), None) => pick(&name, &spec, picked, names)?,
                (None, Some(text)) => {
                    let count = spec.integer("count", 1..=VARIANTS_MAX as u32)?.unwrap_or(COUNT) as usize;
                    let source = Source::Type(text.value.to_string(), types.cloned(), count);
                    let generator = Generator { name: name.value.to_string(), source, fillings: Vec::new() };
                    let settled = generator.settled(names, 0, &[]);
                    settled.map_err(|problem| text.error(problem))?
                }
                _ => {
                    let text = format!(
                        "`gen.{}` has either `pick`, as in `{{ pick = [30, 50] }}`, or `type`, as in `{{ type = \"nat64\" }}`",
                        name.value
                    );
                    return Err(name.error(text));
                }
            }
        };
        generators.push(generator);
    }
    Ok(generators)
}

fn pick(
    name: &Text<'_>,
    spec: &Table<'_>,
    picked: Vec<(Text<'_>, String)>,
    names: &Names,
) -> Result<Generator, ScenarioError> {
    if picked.is_empty() {
        return Err(spec.error_at_key("pick", "`pick` is empty; write the values to try, as in `pick = [30, 50]`"));
    }
    let mut fillings: Vec<Filling> = Vec::new();
    for (place, text) in picked {
        if fillings.iter().any(|other| other.label == text) {
            return Err(place.error(format!("`{}` stands twice in `pick`; remove one", shorten(&text))));
        }
        fillings.push(Filling::of_text(&text, names));
    }
    Ok(Generator { name: name.value.to_string(), source: Source::Pick, fillings })
}

fn arguments(
    name: &Text<'_>,
    spec: &Table<'_>,
    types: Option<&MethodTypes>,
    canister: &str,
) -> Result<Generator, ScenarioError> {
    spec.check_keys(&["count"], &[])?;
    let count = spec.integer("count", 1..=VARIANTS_MAX as u32)?.unwrap_or(COUNT) as usize;
    let Some(types) = types else {
        let text = format!(
            "`gen.args` needs the types of the arguments; add `did` to `[canister.{canister}]`, or write `args`"
        );
        return Err(name.error(text));
    };
    if types.interface().method(types.name()).is_ok_and(|(signature, _)| signature.types.is_empty()) {
        return Err(name.error(format!("method `{}` takes no arguments; remove `gen.args`", types.name())));
    }
    let source = Source::Arguments(types.clone(), count);
    let generator = Generator { name: name.value.to_string(), source, fillings: Vec::new() };
    generator.settled(&Names::default(), 0, &[]).map_err(|problem| name.error(problem))
}
