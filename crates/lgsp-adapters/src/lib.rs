//! Layer 2: one folder per kind of far side: its wire format, its client or simulator, its tests.

pub mod edxml_vxp;
pub mod webhook;
