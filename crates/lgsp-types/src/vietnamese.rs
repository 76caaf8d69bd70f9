//! What a refusal tells a person in Vietnamese, by its code: what is wrong, and what to do.
//!
//! Rules about payloads have words of their own, with the limits that they name (`lgsp-contract/src/catalogue.rs`).

/// None: nobody is told it by the platform, or its rule says it itself.
pub(crate) fn by_code(code: &str) -> Option<&'static str> {
    TOLD.iter().find(|(told, _)| *told == code).map(|(_, text)| *text)
}

const TOLD: &[(&str, &str)] = &[
    // --- the message ---
    (
        "FIELD_INVALID",
        "không đúng quy cách của trường này; sửa lại giá trị theo mô tả trong tệp .proto",
    ),
    ("FIELD_MISSING", "thiếu hoặc bỏ trống; bổ sung thông tin"),
    ("FIELD_TOO_LONG", "dài quá giới hạn của trường này; rút ngắn nội dung"),
    (
        "PARAMETER_INVALID",
        "tham số trống hoặc dài quá giới hạn; sửa lại tham số",
    ),
    (
        "PAYLOAD_TOO_LARGE",
        "nội dung lớn quá giới hạn; chuyển dữ liệu lớn thành tệp đính kèm",
    ),
    (
        "LEAF_TOO_LARGE",
        "quá nhiều nơi nhận hoặc tệp đính kèm, hoặc tên quá dài; gửi cho ít nơi nhận hơn trong một lần",
    ),
    (
        "TOO_MANY_ADDRESSEES",
        "có quá nhiều nơi nhận; chia thành nhiều thông điệp",
    ),
    (
        "TOO_MANY_ATTACHMENTS",
        "có quá nhiều tệp đính kèm; chia thành nhiều thông điệp",
    ),
    (
        "TOO_MANY_DOCUMENTS",
        "nêu quá nhiều văn bản; chia thành nhiều thông điệp",
    ),
    (
        "KEY_CONFLICT",
        "khóa này đã dùng cho một thông điệp có nội dung khác; mỗi thông điệp dùng một khóa riêng",
    ),
    // --- files ---
    (
        "CHUNK_TOO_LARGE",
        "một phần của tệp lớn quá giới hạn; gửi từng phần nhỏ hơn",
    ),
    (
        "HASH_MISMATCH",
        "mã băm SHA-256 đã khai khác với nội dung nhận được; gửi lại tệp",
    ),
    ("OBJECT_TOO_LARGE", "tệp lớn quá giới hạn; gửi tệp nhỏ hơn"),
    (
        "UPLOAD_UNKNOWN",
        "không có tệp tải lên nào đang chờ với mã này, mỗi mã chỉ dùng một lần; tải tệp lên lại",
    ),
    (
        "UPLOADS_WAITING",
        "có quá nhiều tệp đã tải lên chưa được gửi; gửi các thông điệp chứa tệp đó trước",
    ),
    ("NO_ROOM", "hệ thống chưa đủ chỗ lưu tệp; gửi lại sau"),
    (
        "CONTENT_DAMAGED",
        "tệp đã lưu không còn nguyên vẹn; bỏ phần đã nhận và báo người vận hành",
    ),
    // --- who sends, and to whom ---
    (
        "SENDER_UNKNOWN",
        "hệ thống hoặc cơ quan gửi không có trong danh mục; kiểm tra lại mã, hoặc báo người vận hành",
    ),
    (
        "SENDER_NOT_SPOKEN_FOR",
        "hệ thống này không được gửi thay cơ quan đó; dùng mã của cơ quan mà hệ thống được gửi thay",
    ),
    (
        "SENDER_CLOSED",
        "cơ quan gửi đã kết thúc hoạt động; dùng mã của cơ quan kế thừa",
    ),
    (
        "ADDRESSEE_UNKNOWN",
        "mã nơi nhận không có trong danh mục; kiểm tra lại mã cơ quan",
    ),
    (
        "ADDRESSEE_CLOSED",
        "cơ quan nhận đã kết thúc hoạt động và không có cơ quan kế thừa; chọn nơi nhận khác",
    ),
    ("ADDRESSEE_NO_ROUTE", "nơi nhận chưa có kết nối; báo người vận hành"),
    // --- rights to send ---
    (
        "NO_GRANT",
        "không có quyền khai thác nào cho phép gửi loại dữ liệu này tới nơi nhận đó; đề nghị cấp quyền",
    ),
    ("GRANT_EXPIRED", "quyền khai thác đã hết hạn; đề nghị gia hạn"),
    (
        "GRANT_NOT_YET_VALID",
        "quyền khai thác chưa có hiệu lực; gửi lại khi quyền có hiệu lực",
    ),
    (
        "PURPOSE_NOT_GRANTED",
        "quyền khai thác không bao gồm mục đích này; ghi đúng mục đích, hoặc đề nghị bổ sung quyền",
    ),
    (
        "VERSION_NOT_GRANTED",
        "quyền khai thác không bao gồm phiên bản này của hợp đồng dữ liệu; dùng phiên bản được cấp",
    ),
    // --- who calls ---
    (
        "CREDENTIAL_MISSING",
        "chưa có chứng thư số hoặc mã truy cập; kết nối bằng chứng thư số của hệ thống hoặc gửi mã truy cập",
    ),
    (
        "CREDENTIALS_DIFFER",
        "chứng thư số và mã truy cập thuộc hai bên khác nhau; dùng mã truy cập của chủ chứng thư số",
    ),
    (
        "CERTIFICATE_NAME",
        "chứng thư số không nêu đúng một tên hệ thống; dùng chứng thư số do nền tảng cấp",
    ),
    (
        "CERTIFICATE_DOMAIN",
        "chứng thư số thuộc miền khác; dùng chứng thư số do nền tảng này cấp",
    ),
    (
        "CERTIFICATE_NOT_GOOD",
        "chứng thư số đã bị thu hồi hoặc hết hạn; kết nối bằng chứng thư số mới, hoặc báo người vận hành",
    ),
    (
        "TOKEN_INVALID",
        "mã truy cập không có hiệu lực; gửi nguyên vẹn mã đã được cấp",
    ),
    ("TOKEN_EXPIRED", "mã truy cập đã hết hạn; đề nghị cấp mã mới"),
    (
        "TOKEN_SCOPE",
        "mã truy cập không dùng được cho loại lời gọi này; đề nghị cấp mã có phạm vi phù hợp",
    ),
    (
        "CALLER_KIND",
        "bên gọi không thuộc loại được phép thực hiện lời gọi này; dùng chứng thư số hoặc mã truy cập phù hợp",
    ),
    (
        "ADAPTER_UNKNOWN",
        "bộ chuyển đổi không có trong danh mục; báo người vận hành",
    ),
    (
        "ADAPTER_NOT_SYSTEM",
        "bộ chuyển đổi không được thay mặt hệ thống này; báo người vận hành bổ sung vào danh mục",
    ),
    // --- the call ---
    (
        "NOT_FOUND",
        "không có đối tượng này thuộc bên gọi; kiểm tra lại mã đã nhận từ nền tảng",
    ),
    ("WITHDRAWN", "bên gửi đã lấy lại thông điệp; bỏ qua lượt giao này"),
    ("BEGIN_MISSING", "chưa gửi lời mở đầu của luồng; gửi `begin` trước tiên"),
    (
        "BEGIN_TWICE",
        "lời mở đầu của luồng được gửi hai lần; chỉ gửi `begin` một lần",
    ),
    ("CREDIT_INVALID", "số lượt giao xin nhận vượt giới hạn; xin ít hơn"),
    (
        "CURSOR_INVALID",
        "vị trí đọc tiếp không hợp lệ; dùng vị trí cuối cùng đã nhận",
    ),
    ("SEARCH_INVALID", "điều kiện tìm kiếm không hợp lệ; sửa lại điều kiện"),
    ("ENCODING_UNKNOWN", "không đọc được kiểu nén này; gửi không nén"),
    (
        "MESSAGE_MALFORMED",
        "dữ liệu gửi đến không đúng dạng của lời gọi; gửi protobuf theo tệp .proto",
    ),
    (
        "MESSAGE_TOO_LARGE",
        "một gói tin lớn quá giới hạn; gửi ít dữ liệu hơn trong một lần",
    ),
    ("METHOD_UNKNOWN", "không có lời gọi này; xem các tệp .proto"),
    (
        "STREAM_IDLE",
        "dữ liệu không đến đủ trong thời gian cho phép; gửi lại khi đã sẵn sàng",
    ),
    ("LIMIT_RATE", "gửi quá nhiều lời gọi trong một giây; gửi lại sau"),
    (
        "LIMIT_BYTES",
        "quá nhiều dữ liệu đang được gửi cùng lúc; gửi ít hơn trong một lần",
    ),
    ("LIMIT_STREAMS", "có quá nhiều luồng đang mở; đóng bớt luồng"),
    ("NODE_BUSY", "hệ thống đang bận và chưa thực hiện; gửi lại sau"),
    (
        "NODE_TROUBLE",
        "hệ thống chưa trả lời được và chưa thực hiện; gửi lại sau",
    ),
    (
        "OUTCOME_UNKNOWN",
        "chưa rõ lời gọi đã được thực hiện hay chưa; gửi lại đúng lời gọi này",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ReasonCode;

    #[test]
    fn every_code_is_one_stands_once_and_says_what_is_wrong_and_what_to_do() {
        let mut codes = BTreeSet::new();
        for (code, text) in TOLD {
            assert!(ReasonCode::parse(code).is_ok() && codes.insert(code), "{code}");
            let (what, mend) = text.split_once("; ").unwrap();
            assert!(!what.is_ascii() && !mend.is_empty() && !text.ends_with('.'), "{code}");
        }
    }
}
