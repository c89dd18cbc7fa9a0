package jt809

// The check of a frame is a CRC of 16 bits with the polynomial 0x1021 and the initial value 0xFFFF, not reflected and
// not inverted (4.5.4; also known as CCITT-FALSE), over header and body as they are sent, before escaping.

const crcInit = 0xFFFF

// crcTables[k][b] is the CRC of the byte b with k bytes of 0 after it, from the initial value 0: with sixteen of them
// sixteen bytes are taken at once, and only two of the look-ups wait for those before.
var crcTables = makeCRCTables()

func makeCRCTables() *[16][256]uint16 {
	var t [16][256]uint16
	for b := range t[0] {
		c := uint16(b) << 8
		for range 8 {
			if c&0x8000 != 0 {
				c = c<<1 ^ 0x1021
			} else {
				c <<= 1
			}
		}
		t[0][b] = c
	}
	for k := 1; k < len(t); k++ {
		for b := range t[k] {
			c := t[k-1][b]
			t[k][b] = c<<8 ^ t[0][c>>8]
		}
	}
	return &t
}

// crcUpdate goes on with the CRC of what stood before b.
func crcUpdate(c uint16, b []byte) uint16 {
	t := crcTables
	for len(b) >= 16 {
		p := b[:16:16]
		x := t[13][p[2]] ^ t[12][p[3]] ^ t[11][p[4]] ^ t[10][p[5]]
		y := t[9][p[6]] ^ t[8][p[7]] ^ t[7][p[8]] ^ t[6][p[9]]
		z := t[5][p[10]] ^ t[4][p[11]] ^ t[3][p[12]] ^ t[2][p[13]]
		x ^= t[1][p[14]] ^ t[0][p[15]]
		c = t[15][p[0]^byte(c>>8)] ^ t[14][p[1]^byte(c)] ^ (x ^ y ^ z)
		b = b[16:]
	}
	for _, v := range b {
		c = c<<8 ^ t[0][byte(c>>8)^v]
	}
	return c
}

func crc(b []byte) uint16 { return crcUpdate(crcInit, b) }
