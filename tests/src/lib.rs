//! Nothing: cargo asks a package for a library or a program; what this one is for stands in `it`.
