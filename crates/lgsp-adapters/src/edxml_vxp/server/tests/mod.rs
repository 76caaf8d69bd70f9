//! The façade over real sockets.
