//! What programs under `subflows run` see: the same measurement, in a process that the library is loaded into.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::kernels;
use crate::page::Answer;

const LIBRARY: &str = "libsubflows_preload.so";

/// What getting and setting do under `subflows run`, by section and option, for those that the kernel answers in another
/// way.
pub(crate) struct Softened(BTreeMap<(String, String), [String; 2]>);

impl Softened {
    /// Measures with `program`, the one of this package; the library is built into the same folder.
    pub(crate) fn measure(program: &Path) -> io::Result<Softened> {
        let cargo = ["build", "--locked", "--quiet", "--package", "subflows-preload"];
        let built = Command::new(env!("CARGO")).args(cargo).status()?;
        if !built.success() {
            return Err(io::Error::other("the library of `subflows run` cannot be built"));
        }
        let library = program.with_file_name(LIBRARY);
        let output = Command::new(program).arg("rows").env("LD_PRELOAD", library).output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr)));
        }
        Ok(Softened(kernels::answers_in(&String::from_utf8_lossy(&output.stdout))))
    }

    /// Getting and setting, if they differ from what the kernel answers.
    pub(crate) fn differing(&self, kernel: &Answer) -> Option<String> {
        let key = (kernel.section.to_owned(), kernel.option.to_owned());
        let [get, set] = self.0.get(&key)?;
        ((get, set) != (&kernel.get, &kernel.set)).then(|| format!("{get} / {set}"))
    }
}
