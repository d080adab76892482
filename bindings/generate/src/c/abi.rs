//! The promised C interface: the offset of every member, every symbol and every constant. It only
//! grows. In a later release, the new members of a struct come after all members of older releases.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, bail, ensure};

use super::members::{CType, Described, Kind};

/// The version of new symbols.
const NODE: &str = "SUBFLOWS_0";
/// Structs end on this boundary, so that a later member never falls into padding.
const ALIGN: usize = 8;
const HEAD: &str = "\
# What programs that are built with this header rely on. Append-only: `cargo regen` adds lines, and
# fails if a line would change.
#
# struct NAME, then its members: offset, size, type, name and, if it is optional, the bit of the
# presence word. Offsets are those of 64-bit machines.
";

/// One member with its offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) offset: usize,
    pub(super) size: usize,
    pub(super) ty: String,
    pub(super) name: String,
    pub(super) bit: Option<u32>,
}

/// The whole interface.
#[derive(Clone, Debug, Default)]
pub(super) struct Abi {
    structs: Vec<(String, Vec<Placed>)>,
    symbols: Vec<(String, String)>,
    constants: Vec<(String, i64)>,
}

impl Abi {
    pub(super) fn parse(text: &str) -> Result<Abi> {
        let mut abi = Abi::default();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            abi.parse_line(&words).with_context(|| format!("line {} of the list", number + 1))?;
        }
        Ok(abi)
    }

    fn parse_line(&mut self, words: &[&str]) -> Result<()> {
        match words {
            [] | ["#", ..] => {}
            ["struct", name] => self.structs.push(((*name).to_owned(), Vec::new())),
            ["symbol", name, node] => {
                self.symbols.push(((*name).to_owned(), (*node).to_owned()));
            }
            ["constant", name, number] => {
                self.constants.push(((*name).to_owned(), number.parse()?));
            }
            [offset, size, ty, name, bit @ ..] => {
                let (_, members) = self.structs.last_mut().context("a member without a struct")?;
                members.push(Placed {
                    offset: offset.parse()?,
                    size: size.parse()?,
                    ty: (*ty).to_owned(),
                    name: (*name).to_owned(),
                    bit: bit.first().map(|bit| bit.parse()).transpose()?,
                });
            }
            _ => bail!("not a line of the list: {}", words.join(" ")),
        }
        Ok(())
    }

    /// The members of a struct, in order.
    pub(super) fn members(&self, name: &str) -> &[Placed] {
        let found = self.structs.iter().find(|(known, _)| known == name);
        found.map_or(&[], |(_, members)| members)
    }

    /// Every bit of a presence word: struct, member, number.
    pub(super) fn bits(&self) -> impl Iterator<Item = (&str, &str, u32)> {
        self.structs.iter().flat_map(|(name, members)| {
            members.iter().filter_map(move |m| Some((name.as_str(), m.name.as_str(), m.bit?)))
        })
    }

    /// The names of all symbols, in the order of the list.
    pub(super) fn symbols(&self) -> impl Iterator<Item = &str> {
        self.symbols.iter().map(|(name, _)| name.as_str())
    }

    /// Every constant with its number.
    pub(super) fn constants(&self) -> impl Iterator<Item = (&str, i64)> {
        self.constants.iter().map(|(name, number)| (name.as_str(), *number))
    }

    /// Adds the members of a struct that are not in the list yet, and checks that the others are
    /// unchanged.
    pub(super) fn extend(&mut self, described: &Described) -> Result<()> {
        let name = &described.name;
        if !self.structs.iter().any(|(known, _)| known == name) {
            self.structs.push((name.clone(), Vec::new()));
        }
        let known = self.structs.iter_mut().find(|(known, _)| known == name);
        let (_, places) = known.context("it was just added")?;
        let mut wanted: Vec<(&str, CType, bool)> = described
            .members
            .iter()
            .map(|m| (m.name.as_str(), m.ty, m.is_optional && described.kind != Kind::Options))
            .collect();
        if described.kind != Kind::Options {
            wanted.insert(0, ("present", CType::U64, false));
        }
        for place in places.iter().filter(|place| place.ty != "reserved") {
            let found = wanted.iter().position(|(name, ..)| *name == place.name);
            let Some(at) = found else {
                bail!("{name} has lost its member {}: the interface only grows", place.name)
            };
            let (_, ty, is_optional) = wanted.remove(at);
            ensure!(
                ty.listed() == place.ty && is_optional == place.bit.is_some(),
                "{name}.{} has changed its type: the interface only grows",
                place.name
            );
        }
        append(places, wanted);
        Ok(())
    }

    pub(super) fn add_symbols(&mut self, names: Vec<String>) -> Result<()> {
        for (known, _) in &self.symbols {
            ensure!(names.contains(known), "{known} has been removed: the interface only grows");
        }
        let is_new = |name: &String| !self.symbols.iter().any(|(known, _)| known == name);
        let new: Vec<String> = names.into_iter().filter(is_new).collect();
        self.symbols.extend(new.into_iter().map(|name| (name, NODE.to_owned())));
        Ok(())
    }

    pub(super) fn add_constants(&mut self, wanted: Vec<(String, i64)>) -> Result<()> {
        for known in &self.constants {
            ensure!(wanted.contains(known), "{} was removed or has another number", known.0);
        }
        let new = wanted.into_iter().filter(|constant| !self.constants.contains(constant));
        let new: Vec<_> = new.collect();
        self.constants.extend(new);
        Ok(())
    }

    /// The linker's map: the exported symbols with their versions.
    pub(super) fn map(&self) -> String {
        let mut nodes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, node) in &self.symbols {
            nodes.entry(node).or_default().push(name);
        }
        let mut map = String::from("/* Generated by `cargo regen`, do not edit. */\n");
        let mut before = String::new();
        for (node, names) in nodes {
            map += &format!("{node} {{\n  global:\n");
            for name in names {
                map += &format!("    {name};\n");
            }
            let local = if before.is_empty() { "  local:\n    *;\n" } else { "" };
            map += &format!("{local}}}{before};\n");
            before = format!(" {node}");
        }
        map
    }

    /// A C program that compiles only if the compiler lays out the structs as promised.
    pub(super) fn check(&self) -> String {
        let mut check = String::from(
            "/* Generated by `cargo regen`, do not edit. */\n\
             /* It compiles only if the compiler lays out every struct as promised. */\n\
             #include <subflows.h>\n#include <stddef.h>\n\n\
             #ifdef __cplusplus\n#define CHECK(what) static_assert(what, #what)\n#else\n\
             #define CHECK(what) _Static_assert(what, #what)\n#endif\n\n",
        );
        for (name, members) in &self.structs {
            for m in members.iter().filter(|m| m.ty != "reserved") {
                check += &format!("CHECK(offsetof(struct {name}, {}) == {});\n", m.name, m.offset);
            }
            check += &format!("CHECK(sizeof(struct {name}) == {});\n", end(members));
        }
        for (name, number) in &self.constants {
            check += &format!("CHECK({name} == {number});\n");
        }
        check + "\nint main(void) { return 0; }\n"
    }
}

fn end(members: &[Placed]) -> usize {
    members.last().map_or(0, |last| last.offset + last.size)
}

/// Puts new members after all others, the widest first, so that there is no padding between them,
/// and fills the rest: a later member must not be where an older program has padding.
fn append(places: &mut Vec<Placed>, mut wanted: Vec<(&str, CType, bool)>) {
    if wanted.is_empty() {
        return;
    }
    wanted.sort_by_key(|(_, ty, _)| std::cmp::Reverse(ty.align()));
    let mut bit = places.iter().filter(|place| place.bit.is_some()).count() as u32;
    for (name, ty, is_optional) in wanted {
        places.push(Placed {
            offset: end(places),
            size: ty.size(),
            ty: ty.listed().to_owned(),
            name: name.to_owned(),
            bit: is_optional.then(|| {
                bit += 1;
                bit - 1
            }),
        });
    }
    let left = end(places).next_multiple_of(ALIGN) - end(places);
    if left > 0 {
        let count = places.iter().filter(|place| place.ty == "reserved").count();
        let name = format!("reserved_{}", count + 1);
        let offset = end(places);
        places.push(Placed { offset, size: left, ty: "reserved".to_owned(), name, bit: None });
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        for (name, members) in &self.structs {
            writeln!(f, "\nstruct {name}")?;
            for Placed { offset, size, ty, name, bit } in members {
                write!(f, "  {offset} {size} {ty} {name}")?;
                bit.map_or(Ok(()), |bit| write!(f, " {bit}"))?;
                writeln!(f)?;
            }
        }
        writeln!(f)?;
        for (name, node) in &self.symbols {
            writeln!(f, "symbol {name} {node}")?;
        }
        writeln!(f)?;
        self.constants.iter().try_for_each(|(name, number)| writeln!(f, "constant {name} {number}"))
    }
}
