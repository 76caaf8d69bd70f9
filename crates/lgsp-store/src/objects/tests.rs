//! Objects come in whole or not at all, and go out right or not to the end.
