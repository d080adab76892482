//! The table of examples: what each does, and what is special about its output.

/// An example.
#[derive(Clone, Copy)]
pub(crate) struct Example {
    /// Its file in the folder of its language.
    pub(crate) file: &'static str,
    pub(crate) story: Story,
}

/// What an example does, which decides the network, the peer and what is checked.
#[derive(Clone, Copy)]
pub(crate) enum Story {
    /// Lists the subflows, opens one more, closes it.
    ListAndOpen,
    /// Downloads over two paths, and survives the loss of the first one.
    Download(Download),
    /// Downloads over two paths, and prints a table of them. Prints this line as well.
    Paths(&'static str),
    /// A server that reports the paths of its clients.
    ServerReport,
    /// The same with asyncio.
    AsyncServerReport,
    /// A server that follows the events of its clients' paths.
    Watch,
    /// A server that opens a second path for large answers.
    LargeAnswers,
    /// Reports whether, and why, a connection has fallen back to TCP.
    FallbackReport(&'static Verdicts),
}

/// A download.
#[derive(Clone, Copy)]
pub(crate) struct Download {
    pub(crate) proof: Proof,
    /// Requests the data by HTTP.
    pub(crate) is_http: bool,
    /// Prints a line that begins with "opened" when it has opened the second path.
    pub(crate) prints_opened: bool,
    /// Prints a line that begins with "dropped" when it has closed the dead path.
    pub(crate) prints_dropped: bool,
}

/// How a download shows that every byte has arrived.
#[derive(Clone, Copy)]
pub(crate) enum Proof {
    /// A checksum: rotate by 5 bits, add the byte.
    Rotated,
    Crc32,
    /// The file into which it writes.
    File,
}

/// The beginning of a fallback report, by the kind of the connection.
pub(crate) struct Verdicts {
    pub(crate) mptcp: &'static str,
    pub(crate) mptcp_and_ready: &'static str,
    pub(crate) fell_back: &'static str,
    pub(crate) switched_off: &'static str,
    /// Further lines, if they are printed: for a connection that is ready, and otherwise.
    pub(crate) details: Option<[&'static str; 2]>,
}

const DOWNLOAD: Download =
    Download { proof: Proof::Rotated, is_http: false, prints_opened: true, prints_dropped: false };
const DOWNLOAD_CRC32: Download = Download { proof: Proof::Crc32, ..DOWNLOAD };
const DOWNLOAD_HTTP: Download = Download { is_http: true, ..DOWNLOAD_CRC32 };

const VERDICTS: Verdicts = Verdicts {
    mptcp: "Multipath TCP",
    mptcp_and_ready: "Multipath TCP",
    fell_back: "plain TCP",
    switched_off: "plain TCP",
    details: None,
};

const fn example(file: &'static str, story: Story) -> Example {
    Example { file, story }
}

pub(crate) const RUST: &[Example] = &[
    example("list_and_open.rs", Story::ListAndOpen),
    example("download.rs", Story::Download(DOWNLOAD)),
    example("download_tokio.rs", Story::Download(DOWNLOAD)),
    example("server_report.rs", Story::ServerReport),
    example("large_answers.rs", Story::LargeAnswers),
    example("fallback_report.rs", Story::FallbackReport(&VERDICTS)),
];

/// Valgrind aborts a program that makes the kind of child process by which control is taken.
pub(crate) const C_IN_CONTROL: &[Example] = &[
    example("paths.c", Story::Paths("2 paths")),
    example("paths.cpp", Story::Paths("SubflowEstablished")),
    example("second_path.c", Story::Download(Download { prints_dropped: true, ..DOWNLOAD })),
    C_WITHOUT_CONTROL[0],
    C_WITHOUT_CONTROL[1],
];

pub(crate) const C_WITHOUT_CONTROL: &[Example; 2] = &[
    example("watch.c", Story::Watch),
    example(
        "fallback.c",
        Story::FallbackReport(&Verdicts {
            mptcp: "Mptcp",
            mptcp_and_ready: "Mptcp",
            fell_back: "FellBack",
            switched_off: "Tcp",
            details: Some(["  Further paths can be opened now.", "net.mptcp.enabled"]),
        }),
    ),
];

pub(crate) const PYTHON: &[Example] = &[
    example("list_and_open.py", Story::ListAndOpen),
    example("download.py", Story::Download(Download { proof: Proof::File, ..DOWNLOAD })),
    example("server.py", Story::AsyncServerReport),
    example(
        "fallback.py",
        Story::FallbackReport(&Verdicts {
            mptcp_and_ready: "Multipath TCP, and further paths can be opened",
            fell_back: "plain TCP: the server, or a middlebox",
            switched_off: "plain TCP: this kernel",
            ..VERDICTS
        }),
    ),
];

pub(crate) const RUBY: &[Example] = &[
    example("list_and_open.rb", Story::ListAndOpen),
    example("download.rb", Story::Download(DOWNLOAD_CRC32)),
    example("download_http.rb", Story::Download(DOWNLOAD_HTTP)),
    example("server_report.rb", Story::ServerReport),
    example("large_answers.rb", Story::LargeAnswers),
    example("fallback_report.rb", Story::FallbackReport(&VERDICTS)),
];

/// HttpDownload runs under the agent, which opens the second path.
pub(crate) const JAVA: &[Example] = &[
    example("ListAndOpen.java", Story::ListAndOpen),
    example("Download.java", Story::Download(DOWNLOAD_CRC32)),
    example(
        "HttpDownload.java",
        Story::Download(Download { prints_opened: false, ..DOWNLOAD_HTTP }),
    ),
    example("ServerReport.java", Story::ServerReport),
    example("LargeAnswers.java", Story::LargeAnswers),
    example("FallbackReport.java", Story::FallbackReport(&VERDICTS)),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::root;

    const ALL: [(&str, &str, &[Example]); 5] = [
        ("rust", "rs", RUST),
        ("c", "c cpp", C_IN_CONTROL),
        ("python", "py", PYTHON),
        ("ruby", "rb", RUBY),
        ("java", "java", JAVA),
    ];

    /// Examples that other tests run, because they need a library or a server:
    /// bindings/python/tests/test_plot.py, tests/suite/python-servers and tests/suite/ruby-servers.
    const APART: [&str; 3] = ["plot.py", "activate.py", "activate.rb"];

    fn sources(language: &str, endings: &str) -> Vec<std::path::PathBuf> {
        let files = fs::read_dir(root().join("examples").join(language)).unwrap();
        let is_source = |path: &std::path::PathBuf| {
            let ending = path.extension().unwrap_or_default();
            endings.split(' ').any(|known| ending == known)
        };
        files.map(|file| file.unwrap().path()).filter(is_source).collect()
    }

    #[test]
    fn every_example_is_in_the_table() {
        for (language, endings, examples) in ALL {
            let name = |path: &std::path::PathBuf| path.file_name()?.to_str().map(str::to_owned);
            let mut found: BTreeSet<_> =
                sources(language, endings).iter().filter_map(name).collect();
            for apart in APART {
                found.remove(apart);
            }
            let known = examples.iter().map(|example| example.file.to_owned()).collect();
            assert_eq!(found, known);
        }
    }

    /// Newcomers read an example as a whole.
    #[test]
    fn examples_are_short() {
        for (language, endings, _) in ALL {
            for source in sources(language, endings) {
                let text = fs::read_to_string(&source).unwrap();
                assert!(text.lines().count() < 120, "{} is too long", source.display());
                let width = if language == "c" { 100 } else { 110 };
                assert!(text.lines().all(|line| line.len() <= width), "{}", source.display());
            }
        }
    }
}
