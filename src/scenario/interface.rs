//! A canister's `.did` file: what types the arguments of its methods have.
//!
//! In goes the file named by `did =`, out come signatures by method name. Left out: imports between `.did` files, and
//! interfaces hidden in a wasm module; a scenario without `did` writes its types into the arguments.

use std::path::Path;
use std::sync::Arc;

use candid::TypeEnv;
use candid::types::{Type, TypeInner};
use candid_parser::IDLProg;
use candid_parser::syntax::Dec;
use candid_parser::token::{Token, Tokenizer};

use super::candid_text::{Signature, blank_comments, check_size, describe};
use super::position::Source;
use super::suggest::{hint, shorten};
use crate::files::{Kind, read_text, shown};

/// The file of an interface, as a scenario names it.
pub(crate) const FILE: Kind = Kind {
    noun: "a Candid file",
    most: 256 * 1024,
    missing: "correct `did`, or remove it",
    instead: "name a Candid file",
};
/// Most type definitions: the checker follows chains of them recursively.
const TYPES_MAX: usize = 2000;

/// The types of a method, as the text of the interface that has it: types themselves belong to one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MethodTypes {
    text: Arc<str>,
    what: String,
    is_builtin: bool,
    method: String,
}

impl MethodTypes {
    /// The interface.
    pub(crate) fn interface(&self) -> Interface {
        let interface = Interface::parse(&self.text, self.what.clone());
        let interface = interface.unwrap_or_else(|error| panic!("bug in canloom: an interface read before: {error:?}"));
        Interface { is_builtin: self.is_builtin, ..interface }
    }

    /// Name of the method.
    pub(crate) fn name(&self) -> &str {
        &self.method
    }
}

/// A checked `.did` file.
#[derive(Debug)]
pub(crate) struct Interface {
    text: Arc<str>,
    env: TypeEnv,
    /// Types of the init arguments, if the file gives them: `service : (nat) -> { ... }`.
    init: Option<Vec<Type>>,
    service: Type,
    /// What has the methods, as messages call it.
    what: String,
    is_builtin: bool,
    /// Every name of the file, among them those of fields and variants.
    labels: Vec<String>,
}

impl Interface {
    /// Reads and checks a `.did` file.
    pub(crate) fn read(path: &Path, kind: &Kind) -> Result<Interface, String> {
        let name = shown(path);
        let text = read_text(path, kind).map_err(|error| error.to_string())?;
        Interface::parse(&text, "the canister's `did`".to_string()).map_err(|(offset, problem)| {
            let (line, column) = Source { file: path, text: &text }.position(offset);
            format!("{name}:{line}:{column}: {problem}")
        })
    }

    /// The interface of a built-in canister.
    pub(crate) fn of_builtin(name: &str, did: &str) -> Interface {
        let interface = Interface::parse(did, format!("the built-in `{name}`"));
        let interface = interface.unwrap_or_else(|error| panic!("bug in canloom: interface of {name}: {error:?}"));
        Interface { is_builtin: true, ..interface }
    }

    /// Checks the text of an interface; `what` is what has the methods, as messages call it.
    pub(crate) fn parse(text: &str, what: String) -> Result<Interface, (usize, String)> {
        let text = blank_comments(text);
        check_size(&text)?;
        let program: IDLProg = text.parse().map_err(|error| describe(&error))?;
        if program.decs.len() > TYPES_MAX {
            return Err((0, format!("more than {TYPES_MAX} type definitions")));
        }
        if program.decs.iter().any(|dec| !matches!(dec, Dec::TypD(_))) {
            return Err((0, "imports are not offered yet; put the types into one file".to_string()));
        }
        let mut env = TypeEnv::new();
        let service =
            candid_parser::check_prog(&mut env, &program).map_err(|error| undefined(&text, describe(&error)))?;
        let service = service
            .ok_or_else(|| (0, "the file describes no service; it needs `service : { ... }` at its end".to_string()))?;
        let init = match service.as_ref() {
            TypeInner::Class(types, _) => Some(types.clone()),
            _ => None,
        };
        Ok(Interface { labels: words(&text), text: text.into(), env, init, service, what, is_builtin: false })
    }

    /// Every name of the file.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(String::as_str)
    }

    /// Every method, in the order of the file, and whether it is a query.
    pub(crate) fn methods(&self) -> Vec<(&str, bool)> {
        let methods = self.env.as_service(&self.service).unwrap_or_default();
        let is_query = |ty: &Type| self.env.as_func(ty).is_ok_and(|function| function.is_query());
        methods.iter().map(|(name, ty)| (name.as_str(), is_query(ty))).collect()
    }

    /// The type definitions of the file.
    pub(crate) fn definitions(&self) -> &TypeEnv {
        &self.env
    }

    /// The types of a method, to be kept.
    pub(crate) fn kept(&self, method: &str) -> MethodTypes {
        let (text, what) = (self.text.clone(), self.what.clone());
        MethodTypes { text, what, is_builtin: self.is_builtin, method: method.to_string() }
    }

    /// Types of the init arguments; none if the file leaves them open.
    pub(crate) fn init(&self) -> Option<Signature<'_>> {
        let types = self.init.as_deref()?;
        let what = "init".to_string();
        Some(Signature { env: &self.env, types, what, is_builtin: self.is_builtin })
    }

    /// Types of a method's arguments, and whether it is a query.
    pub(crate) fn method(&self, name: &str) -> Result<(Signature<'_>, bool), String> {
        let methods = self.env.as_service(&self.service).map_err(|error| error.to_string())?;
        let Some((_, ty)) = methods.iter().find(|(method, _)| method == name) else {
            let known = methods.iter().map(|(method, _)| method.as_str());
            return Err(format!("{} has no method `{}`{}", self.what, shorten(name), hint(name, known)));
        };
        let function = self.env.as_func(ty).map_err(|error| error.to_string())?;
        let what = format!("method `{name}`");
        let signature = Signature { env: &self.env, types: &function.args, what, is_builtin: self.is_builtin };
        Ok((signature, function.is_query()))
    }
}

/// A type that the file lacks, at the place where it is named; the library says no place.
fn undefined(text: &str, (offset, problem): (usize, String)) -> (usize, String) {
    let Some(name) = problem.strip_prefix("Unbound type identifier ") else { return (offset, problem) };
    let is_it = |token: &Result<(usize, Token, usize), _>| matches!(token, Ok((_, Token::Id(id), _)) if id == name);
    let at = Tokenizer::new(text).find(is_it).and_then(|token| token.ok()).map_or(offset, |(at, _, _)| at);
    (at, format!("type `{}` is not defined in this file", shorten(name)))
}

fn words(text: &str) -> Vec<String> {
    let name = |token| match token {
        Ok((_, Token::Id(name) | Token::Text(name), _)) => Some(name),
        _ => None,
    };
    Tokenizer::new(text).filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DID: &str = "type T = record { a : nat; b : opt T }; // é\nservice : (nat64) -> { put : (T, opt text) -> (); get : () -> (nat) query }";

    #[test]
    fn methods_and_init_have_signatures() {
        let interface = Interface::parse(DID, "the interface".to_string()).unwrap();
        assert_eq!(interface.init().unwrap().types.len(), 1);
        let (put, is_query) = interface.method("put").unwrap();
        assert_eq!((put.types.len(), is_query), (2, false));
        assert!(interface.method("get").unwrap().1);
        assert_eq!(interface.method("pt").err().unwrap(), "the interface has no method `pt`, did you mean `put`?");
    }

    #[test]
    fn what_is_not_an_interface_is_refused() {
        let problem = |text: &str| Interface::parse(text, String::new()).unwrap_err();
        let nope = (19, "type `nope` is not defined in this file".to_string());
        assert_eq!(problem("service : { get : (nope) -> () }"), nope);
        assert_eq!(problem("type A = B; type B = A; service : {}").1, "A has cyclic type definition");
        assert_eq!(problem("service : {\n get }").0, 17);
        assert!(problem("type A = nat;").1.starts_with("the file describes no service; "));
        assert_eq!(
            problem("import \"a.did\"; service : {}").1,
            "imports are not offered yet; put the types into one file"
        );
        let chain: String = (0..3000).map(|i| format!("type A{i} = A{};", i + 1)).collect();
        assert_eq!(problem(&format!("{chain} service : {{}}")).1, "more than 2000 type definitions");
        assert_eq!(problem(&format!("type A = {} nat;", "vec ".repeat(5000))).1, "Candid nests at most 64 levels deep");
        assert!(
            Interface::read(Path::new("/no/such.did"), &FILE).unwrap_err().starts_with("cannot read /no/such.did: ")
        );
    }
}
