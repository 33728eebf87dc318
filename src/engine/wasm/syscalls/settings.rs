//! What surrounds the canister: its subnet, its controllers, its environment variables, certificates. No step changes any
//! of it: the scenario gives the variables, and the rest is fixed here.

use candid::Principal;
use wasmtime::{Caller, Linker};

use super::super::host::Host;
use super::{Address, Result, copy_out, enter, load, violation};

/// Id of the subnet that all canisters live on: any fixed one will do.
const SUBNET: [u8; 29] = *b"canloom's one and only subnet";
/// What stands before the 96 bytes of a BLS12-381 public key in DER.
const KEY_HEAD: [u8; 37] = [
    0x30, 0x81, 0x82, 0x30, 0x1d, 0x06, 0x0d, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xdc, 0x7c, 0x05, 0x03, 0x01, 0x02,
    0x01, 0x06, 0x0c, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xdc, 0x7c, 0x05, 0x03, 0x02, 0x01, 0x03, 0x61, 0x00,
];
/// Bytes that the name of an environment variable may have.
const NAME_MAX: u64 = 128;

/// A root key of the right form. It belongs to nobody, so no signature is valid under it.
fn root_key() -> [u8; 133] {
    let mut key = [b'c'; 133];
    key[..KEY_HEAD.len()].copy_from_slice(&KEY_HEAD);
    key
}

/// Defines these functions.
pub(super) fn link<I: Address>(linker: &mut Linker<Host>) -> Result<()> {
    define!(linker, "subnet_self_size", |caller| -> I { Ok(I::narrow(SUBNET.len() as u64)) });
    define!(linker, "subnet_self_copy", |caller, dst: I, offset: I, size: I| -> () {
        copy_out(&mut caller, &SUBNET, dst.wide(), offset.wide(), size.wide(), "subnet_self_copy")
    });
    define!(linker, "subnet_self_node_count", |caller| -> u32 { Ok(13) });
    define!(linker, "root_key_size", |caller| -> I { Ok(I::narrow(root_key().len() as u64)) });
    define!(linker, "root_key_copy", |caller, dst: I, offset: I, size: I| -> () {
        copy_out(&mut caller, &root_key(), dst.wide(), offset.wide(), size.wide(), "root_key_copy")
    });
    define!(linker, "is_controller", |caller, src: I, size: I| -> u32 {
        if size.wide() > 29 {
            return violation(caller.data_mut(), "ic0_is_controller: invalid principal");
        }
        let id = Principal::from_slice(&load(&mut caller, src.wide(), size.wide(), "is_controller")?);
        Ok(u32::from(caller.data_mut().is_controlled_by(id)))
    });
    define!(linker, "data_certificate_present", |caller| -> u32 { Ok(0) });
    define!(linker, "data_certificate_size", |caller| -> I {
        violation(caller.data_mut(), "ic0_data_certificate_size: no data certificate is present")
    });
    define!(linker, "data_certificate_copy", |caller, _dst: I, _offset: I, _size: I| -> () {
        violation(caller.data_mut(), "ic0_data_certificate_copy: no data certificate is present")
    });
    define!(linker, "env_var_count", |caller| -> I { Ok(I::narrow(caller.data().variables.len() as u64)) });
    define!(linker, "env_var_name_size", |caller, index: I| -> I {
        Ok(I::narrow(nth_name(&mut caller, index.wide(), "env_var_name_size")?.len() as u64))
    });
    define!(linker, "env_var_name_copy", |caller, index: I, dst: I, offset: I, size: I| -> () {
        let name = nth_name(&mut caller, index.wide(), "env_var_name_copy")?;
        copy_out(&mut caller, name.as_bytes(), dst.wide(), offset.wide(), size.wide(), "env_var_name_copy")
    });
    define!(linker, "env_var_name_exists", |caller, src: I, size: I| -> u32 {
        let name = name(&mut caller, src.wide(), size.wide(), "env_var_name_exists")?;
        Ok(u32::from(caller.data().variables.contains_key(&name)))
    });
    define!(linker, "env_var_value_size", |caller, src: I, size: I| -> I {
        Ok(I::narrow(value(&mut caller, src.wide(), size.wide(), "env_var_value_size")?.len() as u64))
    });
    define!(linker, "env_var_value_copy", |caller, src: I, size: I, dst: I, offset: I, most: I| -> () {
        let value = value(&mut caller, src.wide(), size.wide(), "env_var_value_copy")?;
        copy_out(&mut caller, value.as_bytes(), dst.wide(), offset.wide(), most.wide(), "env_var_value_copy")
    });
    Ok(())
}

/// The name of a variable by its position among all names in alphabetical order, as replicas number them.
fn nth_name(caller: &mut Caller<'_, Host>, index: u64, function: &str) -> Result<String> {
    let host = caller.data_mut();
    match usize::try_from(index).ok().and_then(|index| host.variables.keys().nth(index)) {
        Some(name) => Ok(name.clone()),
        None => violation(host, &format!("ic0_{function}: no variable {index}")),
    }
}

fn value(caller: &mut Caller<'_, Host>, src: u64, size: u64, function: &str) -> Result<String> {
    let name = name(caller, src, size, function)?;
    let host = caller.data_mut();
    match host.variables.get(&name) {
        Some(value) => Ok(value.clone()),
        None => violation(host, &format!("ic0_{function}: no variable `{name}` (a scenario gives it with `env`)")),
    }
}

/// Traps unless this can be the name of a variable.
fn name(caller: &mut Caller<'_, Host>, src: u64, size: u64, function: &str) -> Result<String> {
    if size > NAME_MAX {
        return violation(caller.data_mut(), &format!("ic0_{function}: the variable's name exceeds {NAME_MAX} bytes"));
    }
    match String::from_utf8(load(caller, src, size, function)?) {
        Ok(name) => Ok(name),
        Err(_) => violation(caller.data_mut(), &format!("ic0_{function}: the variable's name is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn lengths_in_the_head_of_the_root_key_fit_its_133_bytes() {
        let key = super::root_key();
        // A sequence of the rest, in it one of 29 bytes and then a bit string of 97, the first of which is 0.
        assert_eq!((key[2] as usize, key[4], key[35] as usize, key[36]), (key.len() - 3, 29, 97, 0));
        assert_eq!(3 + 2 + 29 + 2 + 97, key.len());
    }
}
