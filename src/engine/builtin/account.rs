//! Accounts of ledgers: an owner with a subaccount, and the identifier that the ICP ledger makes of them.
//!
//! All built-in ledgers keep their books by identifier. No interface of theirs lists accounts, so nobody can tell.

use candid::{CandidType, Deserialize, Principal};
use serde::Serialize;
use sha2::{Digest, Sha224};

/// An account: an owner and a subaccount, of which none and 32 zeros are the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, CandidType, Deserialize)]
pub struct Account {
    /// Who may transfer from it.
    pub owner: Principal,
    /// Which account of the owner; 32 bytes.
    pub subaccount: Option<Vec<u8>>,
}

impl Account {
    /// The default account of an owner.
    pub fn of(owner: Principal) -> Account {
        Account { owner, subaccount: None }
    }

    /// What the books know it by.
    ///
    /// # Errors
    /// If the subaccount has not 32 bytes.
    pub fn id(&self) -> Result<AccountId, String> {
        let subaccount = self.subaccount.as_deref().unwrap_or(&[0; 32]);
        if subaccount.len() != 32 {
            return Err(format!("a subaccount has 32 bytes, this one has {}", subaccount.len()));
        }
        let mut hasher = Sha224::new();
        hasher.update(b"\x0Aaccount-id");
        hasher.update(self.owner.as_slice());
        hasher.update(subaccount);
        Ok(AccountId(hasher.finalize().into()))
    }
}

/// The hash in an account identifier of the ICP ledger: SHA-224 of owner and subaccount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId([u8; 28]);

impl AccountId {
    /// The identifier as callers write it: 4 bytes of checksum (CRC-32, big-endian), then the hash.
    pub fn address(&self) -> Vec<u8> {
        [crc32(&self.0).to_be_bytes().as_slice(), &self.0].concat()
    }

    /// Reads an identifier of 32 bytes.
    ///
    /// # Errors
    /// If it has another length, or if its checksum is not that of its hash.
    pub fn of_address(address: &[u8]) -> Result<AccountId, String> {
        let Some((checksum, hash)) = address.split_first_chunk::<4>().filter(|(_, hash)| hash.len() == 28) else {
            return Err(format!("an account identifier has 32 bytes, this one has {}", address.len()));
        };
        let hash: [u8; 28] = hash.try_into().map_err(|_| "28 bytes".to_string())?;
        let wanted = crc32(&hash).to_be_bytes();
        if *checksum != wanted {
            return Err(format!(
                "the checksum of this account identifier is {}, and should be {}",
                hex(checksum),
                hex(&wanted)
            ));
        }
        Ok(AccountId(hash))
    }
}

/// Lowercase digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// CRC-32 of IEEE 802.3, reflected: a bit at a time.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_ethernet() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn the_identifier_of_the_anonymous_principal_is_the_known_one() {
        let id = Account::of(Principal::anonymous()).id().unwrap();
        assert_eq!(hex(&id.address()), "1c7a48ba6a562aa9eaa2481a9049cdf0433b9738c992d698c31d8abf89cadc79");
        assert_eq!(AccountId::of_address(&id.address()), Ok(id));
    }

    #[test]
    fn no_subaccount_is_the_one_of_zeros() {
        let account = |subaccount| Account { owner: Principal::anonymous(), subaccount };
        assert_eq!(account(None).id(), account(Some(vec![0; 32])).id());
        assert_ne!(account(None).id(), account(Some(vec![1; 32])).id());
        assert_eq!(account(Some(vec![0; 31])).id(), Err("a subaccount has 32 bytes, this one has 31".to_string()));
    }

    #[test]
    fn an_identifier_with_a_wrong_length_or_checksum_is_refused() {
        let mut address = Account::of(Principal::anonymous()).id().unwrap().address();
        let length = AccountId::of_address(&address[..31]).unwrap_err();
        assert_eq!(length, "an account identifier has 32 bytes, this one has 31");
        address[0] ^= 1;
        let checksum = AccountId::of_address(&address).unwrap_err();
        assert_eq!(checksum, "the checksum of this account identifier is 1d7a48ba, and should be 1c7a48ba");
    }
}
