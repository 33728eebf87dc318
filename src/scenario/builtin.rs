//! The built-in canisters as a scenario names them: their ids, their interfaces, and the argument of their installation.
//!
//! In: the value of `builtin =`. Out: [`Code`], the id where the canister has one on mainnet, and its interface, which
//! gives arguments their types as a `did` does. What the canisters do is `engine::builtin`.

use candid::IDLArgs;
use candid::Principal;
use candid::types::value::{IDLField, IDLValue};
use candid::types::{Type, TypeEnv, TypeInner};

use super::cast::Code;
use super::interface::Interface;
use super::suggest::{hint, shorten};

/// A built-in other than the stub, whose methods are those of its `replies`.
pub(crate) struct Builtin {
    /// Its name in a scenario.
    pub(crate) name: &'static str,
    /// What it runs.
    pub(crate) code: Code,
    /// Its id on mainnet, where canisters expect exactly this one.
    mainnet: Option<&'static str>,
    did: &'static str,
}

/// All of them; a function, because [`Code`] has parts that are no constants.
fn all() -> [Builtin; 5] {
    [
        Builtin {
            name: "icrc1-ledger",
            code: Code::Icrc1Ledger,
            mainnet: None,
            did: include_str!("builtin/icrc1-ledger.did"),
        },
        Builtin {
            name: "icrc2-ledger",
            code: Code::Icrc2Ledger,
            mainnet: None,
            did: include_str!("builtin/icrc2-ledger.did"),
        },
        Builtin {
            name: "icp-ledger",
            code: Code::IcpLedger,
            mainnet: Some("ryjl3-tyaaa-aaaaa-aaaba-cai"),
            did: include_str!("builtin/icp-ledger.did"),
        },
        Builtin {
            name: "cmc",
            code: Code::Cmc,
            mainnet: Some("rkp4c-7iaaa-aaaaa-aaaca-cai"),
            did: include_str!("builtin/cmc.did"),
        },
        Builtin {
            name: "xrc",
            code: Code::Xrc,
            mainnet: Some("uf6dk-hyaaa-aaaaq-qaaaq-cai"),
            did: include_str!("builtin/xrc.did"),
        },
    ]
}

/// The built-in of this name; `None` for `stub`.
///
/// # Errors
/// Says which names there are.
pub(crate) fn find(name: &str) -> Result<Option<Builtin>, String> {
    if name == "stub" {
        return Ok(None);
    }
    let names = all().map(|builtin| builtin.name);
    match all().into_iter().find(|builtin| builtin.name == name) {
        Some(builtin) => Ok(Some(builtin)),
        None => {
            Err(format!("there is no built-in `{}`{}", shorten(name), hint(name, ["stub"].into_iter().chain(names))))
        }
    }
}

/// Whether the built-in of this name has a method.
pub(crate) fn offers(name: &str, method: &str) -> bool {
    let builtin = find(name).ok().flatten().expect("bug in canloom: a built-in of this name");
    builtin.interface().methods().iter().any(|(other, _)| *other == method)
}

impl Builtin {
    /// Its id on mainnet, if it is a canister of mainnet.
    pub(crate) fn mainnet_id(&self) -> Option<Principal> {
        self.mainnet.map(|id| Principal::from_text(id).expect("bug in canloom: the id of a built-in"))
    }

    /// Its interface, with the type of what it is installed with.
    pub(crate) fn interface(&self) -> Interface {
        Interface::of_builtin(self.name, self.did)
    }
}

/// Prepares an argument of a built-in for its types: `opt` may be left out, and unknown fields are refused instead of
/// ignored, because a misspelt optional field would be a setting that has no effect.
pub(crate) fn fit(args: IDLArgs, env: &TypeEnv, types: &[Type]) -> Result<IDLArgs, String> {
    let fitted = args.args.into_iter().enumerate().map(|(at, value)| match types.get(at) {
        Some(ty) => fit_value(value, env, ty),
        None => Ok(value),
    });
    Ok(IDLArgs { args: fitted.collect::<Result<_, _>>()? })
}

fn fit_value(value: IDLValue, env: &TypeEnv, ty: &Type) -> Result<IDLValue, String> {
    let ty = env.trace_type(ty).map_err(|error| error.to_string())?;
    Ok(match (value, ty.as_ref()) {
        (value @ (IDLValue::Null | IDLValue::None | IDLValue::Reserved), TypeInner::Opt(_)) => value,
        (IDLValue::Opt(value), TypeInner::Opt(inner)) => IDLValue::Opt(Box::new(fit_value(*value, env, inner)?)),
        (value, TypeInner::Opt(inner)) => IDLValue::Opt(Box::new(fit_value(value, env, inner)?)),
        (IDLValue::Vec(items), TypeInner::Vec(inner)) => {
            let items = items.into_iter().map(|item| fit_value(item, env, inner));
            IDLValue::Vec(items.collect::<Result<_, _>>()?)
        }
        (IDLValue::Record(fields), TypeInner::Record(known)) => {
            let mut fitted = Vec::with_capacity(fields.len());
            for IDLField { id, val } in fields {
                let Some(field) = known.iter().find(|field| *field.id == id) else {
                    let name = id.to_string();
                    let names: Vec<String> = known.iter().map(|field| field.id.to_string()).collect();
                    let hint = hint(&name, names.iter().map(String::as_str));
                    return Err(format!("unknown field `{}`{hint}", shorten(&name)));
                };
                fitted.push(IDLField { id, val: fit_value(val, env, &field.ty)? });
            }
            IDLValue::Record(fitted)
        }
        (value, _) => value,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::engine::{self, wasm::module::Method};

    #[test]
    fn every_built_in_has_an_interface_with_an_installation() {
        for builtin in all() {
            let interface = builtin.interface();
            assert_eq!(interface.init().expect("an argument").types.len(), 1, "{}", builtin.name);
        }
    }

    #[test]
    fn an_interface_has_the_methods_that_are_offered_and_no_other() {
        for builtin in all() {
            let mut env = TypeEnv::new();
            let service = candid_parser::check_prog(&mut env, &builtin.did.parse().unwrap()).unwrap().unwrap();
            let described = env.as_service(&service).unwrap().iter();
            let described = described.map(|(name, ty)| (name.as_str(), env.as_func(ty).unwrap().is_query()));
            let offered = engine::builtin::methods(&builtin.code).into_iter();
            let offered = offered.map(|(name, kind)| (name, kind == Method::Query));
            assert_eq!(offered.collect::<BTreeMap<_, _>>(), described.collect(), "{}", builtin.name);
        }
    }

    #[test]
    fn canisters_of_mainnet_have_their_ids_there() {
        let ids = all().map(|builtin| builtin.mainnet_id().map(|id| id.as_slice().to_vec()));
        assert_eq!(ids[..2], [None, None]);
        assert_eq!(ids[2].as_deref(), Some([0, 0, 0, 0, 0, 0, 0, 2, 1, 1].as_slice()));
        assert_eq!(ids[3].as_deref(), Some([0, 0, 0, 0, 0, 0, 0, 4, 1, 1].as_slice()));
        assert_eq!(ids[4].as_deref(), Some([0, 0, 0, 0, 2, 16, 0, 1, 1, 1].as_slice()));
    }

    #[test]
    fn an_unknown_built_in_comes_with_the_nearest_one() {
        let problem = |name| find(name).err().expect("no such built-in");
        assert_eq!(problem("stup"), "there is no built-in `stup`, did you mean `stub`?");
        assert_eq!(problem("icrc3-ledger"), "there is no built-in `icrc3-ledger`, did you mean `icrc1-ledger`?");
        assert_eq!(
            problem("bitcoin"),
            "there is no built-in `bitcoin`; there is `stub`, `icrc1-ledger`, `icrc2-ledger`, `icp-ledger`, `cmc`, `xrc`"
        );
    }
}
