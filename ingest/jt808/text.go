package jt808

import wire "lushao/ingest/fields"

// Text is a STRING of the standard as it stands on the wire: GBK, with whatever padding came with it, so that a
// message that is decoded and encoded again has the same bytes. A literal in ASCII is a Text as it is; GBK makes any other.
type Text = wire.Text

// GBK makes a Text from UTF-8. Characters that GBK has not become '?'.
func GBK(s string) Text { return wire.GBK(s) }
