//! The document axis (VXP) and its packets (edXML): what the departments' document systems speak.

pub mod client;
pub mod packet;
pub mod server;
