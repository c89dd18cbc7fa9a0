// Package jt808 is the codec of JT/T 808 in its editions of 2011, 2013 and 2019, with the messages of JT/T 1078-2016 and
// T/JSATL 12-2017 that ride on it: bytes to structs and back. It opens nothing, reads no clock and starts no goroutine.
//
// Bytes go through it in three steps: a Framer finds frames in a stream and unescapes them in place, Header.Decode reads
// a frame's header, Decode reads a body. Location and Batch, the messages that make nearly all the traffic, have their
// own decoders that allocate nothing. The way back is AppendBody and AppendFrame.
//
// Clause numbers in these comments are those of JT/T 808-2013.
//
// Fields of type []byte alias the body that was decoded and are valid as long as it is; texts are copied.
package jt808
