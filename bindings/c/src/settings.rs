//! The settings of Multipath TCP in a network namespace.

use std::cell::RefCell;

use subflows::OptionValue;

use crate::convert::{StringArena, with_strings};
use crate::prelude::*;

thread_local! {
    /// The texts of the settings that the thread read last.
    static TEXTS: RefCell<StringArena> = RefCell::default();
}

/// The texts stay valid until the next call in the same thread. Settings that this kernel lacks have no bit
/// in `present`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_settings(settings: *mut subflows_settings, size: usize) -> c_int {
    guard("settings", || {
        // SAFETY: `settings` has `size` bytes.
        let out = unsafe { Out::new(settings, size) }?;
        let read = subflows::settings()?;
        with_strings(&TEXTS, |texts| out.fill_with_strings(&read, texts)).map(|()| 0)
    })
}

/// `setting` is the name of a member of struct subflows_settings. `value` is written as for sysctl(8), or as
/// "true", "false", "yes" or "no".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn subflows_set_setting(
    setting: *const c_char,
    value: *const c_char,
) -> c_int {
    guard("set_setting", || {
        let setting = convert::required(
            convert::text(setting, "setting")?,
            "setting",
            "a setting's name: \"enabled\"",
        )?;
        let value = convert::required(convert::text(value, "value")?, "value", "a text: \"1\"")?;
        Ok(subflows::set_setting(setting, OptionValue::parse(&value))?)
    })
}
