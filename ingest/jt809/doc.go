// Package jt809 is the codec of JT/T 809 in its editions of 2011 (with the supplement of 2013) and 2019, both directions,
// with the messages of JT/T 1078-2016 that platforms exchange: bytes to structs and back. It opens nothing, reads no clock
// and starts no goroutine.
//
// Bytes go through it in four steps: a Framer finds frames in a stream, unescapes them in place and proves their CRC;
// Header.Decode reads a frame's header; a Cipher decrypts the body where the header says so; Envelope.Decode takes the
// vehicle, the id of the sub-message and the data out of it. NewBody and Decode read the data. PositionReader, for the
// messages that make nearly all the traffic, allocates nothing. The way back is AppendBody, Envelope.Append, AppendFrame.
//
// The texts of 2013 and 2019 are known from implementations and captures, which disagree: length decides which layout the
// data have, and a struct keeps a layout that is not its edition's in a field such as Layout, so that it is written as
// it was read. A length that is wrong by a few bytes, bytes behind the last field and missing ones where peers leave
// them out are no errors.
//
// Fields of type []byte alias the data that were decoded and are valid as long as they are; texts are copied.
package jt809
