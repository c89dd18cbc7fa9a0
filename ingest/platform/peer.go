package platform

// States of a link.
const (
	LinkOff        = "off"        // not wanted: by the settings, or because the main link is down
	LinkDown       = "down"       // there is no connection
	LinkConnecting = "connecting" // being dialled, or waiting before the next try
	LinkLogin      = "login"      // connected; the login is not answered yet
	LinkUp         = "up"         // logged in
)

// LinkState is the main or the sub link of a peer.
type LinkState struct {
	State     string `json:"state"`
	Since     Time   `json:"since"`      // when it came into this state
	Address   string `json:"address"`    // of the other side, host:port; empty without a connection
	LastRead  Time   `json:"last_read"`  // last frame from the other side, over all connections
	LastWrite Time   `json:"last_write"` // last frame to the other side
	FramesIn  uint64 `json:"frames_in"`
	FramesOut uint64 `json:"frames_out"`
	BytesIn   uint64 `json:"bytes_in"`
	BytesOut  uint64 `json:"bytes_out"`
	BadFrames uint64 `json:"bad_frames"` // dropped: CRC, length, content
	Breaks    uint64 `json:"breaks"`     // how often it was lost while it was up
	Note      string `json:"note"`       // why it is not up, in words; the last refusal of a login
}

// Gap is a time in which nothing could come from the peer, or go to it.
type Gap struct {
	From      Time   `json:"from"`
	To        Time   `json:"to"`        // null while it lasts
	Positions uint64 `json:"positions"` // with a time inside it that were sent afterwards
	Asked     bool   `json:"asked"`     // what is missing was asked for
}

// RequestCounts is how many requests to or from the peer are in which state, as far back as the book goes.
type RequestCounts struct {
	Waiting  int `json:"waiting"`
	Answered int `json:"answered"`
	Late     int `json:"late"`
	Overdue  int `json:"overdue"`
	Failed   int `json:"failed"`
}

// Peer is what GET /v1/platforms shows of a platform on the other side. Counts begin with the process.
type Peer struct {
	Name       string    `json:"name"` // of the settings
	Role       string    `json:"role"` // ours: superior where it reports to us, inferior where we report to it
	Edition    string    `json:"edition"`
	Encrypted  bool      `json:"encrypted"`   // what we send is encrypted
	AccessCode uint32    `json:"access_code"` // msg_gnsscenterid
	Main       LinkState `json:"main"`
	Sub        LinkState `json:"sub"`

	Vehicles          int     `json:"vehicles"`           // superior: seen from it; inferior: forwarded to it
	Positions         uint64  `json:"positions"`          // received from it, or sent to it
	BackfillPositions uint64  `json:"backfill_positions"` // those of them that came late: 0x1203, 0x9203
	PositionsPerS     float64 `json:"positions_per_s"`    // over the last minute
	BadPositions      uint64  `json:"bad_positions"`      // refused, or without a time
	LastPosition      Time    `json:"last_position"`      // when one last came or went
	CountedByPeer     uint64  `json:"counted_by_peer"`    // by its last 0x9101 or 0x1101

	// Of an inferior: what was sent and is proven to have arrived, what is not yet, and how far the log is ahead.
	Proven      uint64 `json:"proven"`
	Unproven    uint64 `json:"unproven"`
	LastProof   Time   `json:"last_proof"`
	LagMessages int64  `json:"lag_messages"`

	SerialGaps uint64        `json:"serial_gaps"` // messages missing by their serials
	Gaps       []Gap         `json:"gaps"`        // the last ones, oldest first
	LastLogin  Time          `json:"last_login"`  // the last that succeeded
	Requests   RequestCounts `json:"requests"`    // filled in by the HTTP interface from the book
	LastFailed Time          `json:"last_failed"` // the last login that failed
	FailedWhy  string        `json:"failed_why"`  // and why
}
