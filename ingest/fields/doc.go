// Package fields walks the fields of binary messages in the order of a standard's table. One walk per layout serves all
// four ways, so that they cannot drift apart: it decodes the bytes into a struct, encodes it, describes it as JSON, or
// fills it from that JSON. Conditions on fields that stand before are plain ifs in the walk.
//
// A protocol embeds Walker in a type of its own, with its edition and the fields that only it has, and walks with that:
//
//	type fields struct {
//		fields.Walker
//		ed Edition
//	}
//
//	func (m *Alarm) walk(f *fields) {
//		f.U32("info_id", &m.ID)
//		f.Code8("result", &m.Result, results)
//		f.TextLen("info_length", "info_content", 4, &m.Content)
//		fields.List(f, "count", "items", 1, &m.Items, func(f *fields, i *Item) { f.U16("sub_type", &i.Type) })
//	}
//
// Numbers: Uint, U8, U16, U32, U64, Code8 (an enumeration), Degrees, Numbers (a list). Texts in GBK: Text (of a fixed
// size), TextRest (to the end), TextLen (length in front), TextLoose (the same for peers that count wrong). Raw bytes:
// Array, BytesRest, BytesLen. Structure: List, ListRest, Struct, Within, More, Left. For the JSON form alone: Note, Key,
// Object, Truth, Tenths, Int, Raw. For fields of one's own: Mode, Take, Fail, Member.
//
// Numbers are unsigned and big-endian. When decoding and filling, the first error is kept, and every later field is 0 or
// left alone.
package fields
