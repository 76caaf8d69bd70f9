//! What the format of a packet may cost; fixed, because both ends of the axis live with it.

/// Everything of a packet but the base64 of its attachments, in bytes.
pub(super) const SKELETON_BYTES_MAX: usize = 1024 * 1024;
/// One text, comment, section or tag, in bytes.
pub(super) const TEXT_BYTES_MAX: usize = 256 * 1024;
/// One name of an element or attribute, in bytes, so that no path grows without end.
pub(super) const NAME_BYTES_MAX: usize = 128;
/// Elements inside each other.
pub(super) const DEPTH_MAX: usize = 64;
/// Levels of the path of a refusal; what stands deeper is none of QCVN 102.
pub(super) const PATH_LEVELS_MAX: usize = 16;
/// Attributes of one element, declarations of namespaces among them.
pub(super) const ATTRIBUTES_MAX: usize = 64;
/// Declarations of namespaces in force at one place.
pub(super) const NAMESPACES_MAX: usize = 32;
/// Elements, texts, sections, comments and instructions of one packet.
pub(super) const NODES_MAX: usize = 20_000;
/// Findings reported of one packet; whoever has more sees the others when these are mended.
pub(super) const FINDINGS_MAX: usize = 100;
/// One id, code or date, in bytes. Source: `lgsp_types::DocumentRef`.
pub(super) const WORD_BYTES_MAX: usize = 255;
/// Number and notation joined, in bytes, so that organ, date and code joined are a word.
pub(super) const CODE_BYTES_MAX: usize = 200;
/// One name, address or place, in characters: well above the decree's 50 to 1,000, whose keeping is the contract's
/// question. Source: Decree 30/2020/ND-CP, appendix VI.
pub(super) const LINE_CHARS_MAX: usize = 1_000;
/// A subject, summary, reason or description, in characters.
pub(super) const PROSE_CHARS_MAX: usize = 4_000;
/// Documents answered or replaced, places, appendixes and the like, of each.
pub(super) const LIST_MAX: usize = 200;
/// Name of an attachment, in bytes. Source: `lgsp_types::Attachment`.
pub(super) const ATTACHMENT_NAME_BYTES_MAX: usize = 255;
/// Media type of an attachment, in bytes. Source: `lgsp_types::Attachment`.
pub(super) const MEDIA_TYPE_BYTES_MAX: usize = 127;
