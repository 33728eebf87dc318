//! Values of a generator beyond those that the search tries: any of its type.
//!
//! In: a template, and labels as names of steps carry them. Out: typed values, and the argument that they make. Each value
//! has one label, so that a step has one name. What is picked or captured stays what it is: one of a list.

use candid::types::value::IDLValue;
use candid::types::{Type, TypeEnv, TypeInner};
use candid::{IDLArgs, Principal};
use candid_parser::parse_idl_args;

use super::candid_text::{self, check_size};
use super::filling::Filling;
use super::interface::{Interface, MethodTypes};
use super::names::Names;
use super::template::{Captured, Made, Template};

/// What the values of a generator may be.
pub(crate) struct Kind {
    pub(crate) types: Vec<Type>,
    pub(crate) env: TypeEnv,
    /// Whether they are whole lists of arguments.
    pub(crate) is_list: bool,
}

impl Kind {
    /// The value of a label, as a list of one unless it is a list of arguments; `None` if the label is not that of a value.
    pub(crate) fn parse(&self, label: &str, names: &Names) -> Option<Vec<IDLValue>> {
        let values = self.values(label, names)?;
        (self.label(&values, names).as_deref() == Some(label)).then_some(values)
    }

    fn values(&self, label: &str, names: &Names) -> Option<Vec<IDLValue>> {
        if !self.is_list {
            match self.env.trace_type(&self.types[0]).ok()?.as_ref() {
                TypeInner::Text => return Some(vec![IDLValue::Text(label.to_string())]),
                TypeInner::Principal => {
                    let id = names.principal(label).ok().or_else(|| Principal::from_text(label).ok())?;
                    return Some(vec![IDLValue::Principal(id)]);
                }
                _ => {}
            }
        }
        let text = if self.is_list { label.to_string() } else { format!("({label})") };
        check_size(&text).ok()?;
        let args: IDLArgs = parse_idl_args(&text).ok()?;
        Some(args.annotate_types(true, &self.env, &self.types).ok()?.args).filter(|args| args.len() == self.types.len())
    }

    /// The label of a value; `None` if there is none.
    pub(crate) fn label(&self, values: &[IDLValue], names: &Names) -> Option<String> {
        let filling = match values {
            _ if self.is_list => Filling::of_arguments(values),
            [one] => Filling::of_value(one, names),
            _ => return None,
        };
        filling.ok().map(|filling| filling.label)
    }
}

/// A template with its types, ready to make arguments. Belongs to one thread, as types do.
pub(crate) struct Opener {
    template: Template,
    interface: Option<(Interface, String)>,
    kinds: Vec<Option<Kind>>,
}

impl Opener {
    pub(crate) fn new(template: &Template) -> Opener {
        let interface = template.types.as_ref().map(|types| (types.interface(), types.name().to_string()));
        let kinds = template.generators.iter().map(|generator| generator.kind().ok().flatten()).collect();
        Opener { template: template.clone(), interface, kinds }
    }

    /// Names of the generators, with what their values may be; those that have a list of values are left out.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&str, &Kind)> {
        let generators = self.template.generators.iter().zip(&self.kinds);
        generators.filter_map(|(generator, kind)| Some((generator.name.as_str(), kind.as_ref()?)))
    }

    pub(crate) fn names(&self) -> &Names {
        &self.template.names
    }

    /// The argument that these values make; `None` if one is missing, is not of its type, or is unknown.
    pub(crate) fn make(&self, labels: &[(&str, &str)], captured: &Captured) -> Option<Made> {
        let label = |name: &str| labels.iter().find(|(other, _)| *other == name).map(|(_, label)| *label);
        let mut fillings: Vec<(&str, Filling)> = Vec::new();
        for (generator, kind) in self.template.generators.iter().zip(&self.kinds) {
            let label = label(&generator.name)?;
            let listed = generator.fillings.iter().find(|filling| filling.label == label).cloned();
            let filling = listed.or_else(|| {
                let kind = kind.as_ref()?;
                let values = kind.parse(label, &self.template.names)?;
                let filling = match &values[..] {
                    [one] if !kind.is_list => Filling::of_value(one, &self.template.names),
                    list => Filling::of_arguments(list),
                };
                filling.ok()
            });
            fillings.push((&generator.name, filling?));
        }
        for name in self.template.captured() {
            let label = label(name)?;
            let filling = captured.get(name)?.iter().find(|filling| filling.label == label)?;
            fillings.push((name, filling.clone()));
        }
        if fillings.len() != labels.len() {
            return None;
        }
        let signature = match &self.interface {
            Some((did, method)) => Some(did.method(method).ok()?.0),
            None => None,
        };
        let borrowed: Vec<(&str, &Filling)> = fillings.iter().map(|(name, filling)| (*name, filling)).collect();
        let bytes = candid_text::encode_str(&self.template.text, &self.template.names, &borrowed, signature).ok()?;
        let values = fillings.iter().map(|(name, filling)| (name.to_string(), filling.label.clone()));
        Some((values.collect(), bytes))
    }
}

impl MethodTypes {
    /// The types of its arguments.
    pub(super) fn arguments(&self) -> Result<Kind, String> {
        let interface = self.interface();
        let (signature, _) = interface.method(self.name())?;
        Ok(Kind { types: signature.types.to_vec(), env: signature.env.clone(), is_list: true })
    }
}
