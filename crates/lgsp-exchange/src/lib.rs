//! Layer 2: the spine: publish, project, open, fetch, acknowledge, seal. Knows no protocol of a far side.
