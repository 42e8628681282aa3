//! Ten thousand servers. Ignored: they take minutes and mean something only in a release build, as docs/architecture.md
//! says.
