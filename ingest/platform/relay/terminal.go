package relay

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"lushao/ingest"
	"lushao/ingest/gateway"
	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
)

// terminal asks the vehicle's own terminal.
func (r *Router) terminal(ctx context.Context, v ingest.Vehicle, id jt809.MessageID, ed jt809.Edition, m jt809.Body) (jt809.Body, error) {
	switch m := m.(type) {
	case *jt809.MonitorCall:
		return r.monitor(ctx, v, m)
	case *jt809.PhotoRequest:
		return r.photo(ctx, v, ed, m)
	case *jt809.VehicleText:
		return r.text(ctx, v, m)
	case *jt809.RecorderRequest:
		return r.recorder(ctx, v, m)
	case *jt809.EmergencyAccess:
		return r.emergency(ctx, v, m)
	case *jt809.DriverQuery:
		return r.driver(ctx, v)
	case *jt809.Empty:
		if id == jt809.IDStaticQuery && r.Static != nil {
			if info, ok := r.Static(v); ok {
				return &jt809.StaticData{Info: info}, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: %v by a terminal", ErrUnsupported, id)
}

// options are those of a command that lasts as long as ctx lets it.
func (r *Router) options() gateway.CommandOptions {
	return gateway.CommandOptions{Timeout: r.Timeout, KeepReply: true}
}

// failure is the error of an outcome that leaves nothing to say to who asked: nil where the terminal did answer.
func failure(ctx context.Context, v ingest.Vehicle, o gateway.Outcome) error {
	switch o.State {
	case gateway.CommandTimeout:
		return fmt.Errorf("%w: terminal of %v", ErrTimeout, v)
	case gateway.CommandCancelled:
		return ctx.Err()
	case gateway.CommandOffline, gateway.CommandGone:
		return fmt.Errorf("%w: the terminal of %v has gone", ErrUnknownVehicle, v)
	case gateway.CommandBusy:
		return fmt.Errorf("%w: for the terminal of %v", ErrBusy, v)
	}
	return nil
}

// result is 0 where the terminal did it, else failed.
func result(o gateway.Outcome, failed uint8) uint8 {
	if o.State == gateway.CommandDone {
		return 0
	}
	return failed
}

func (r *Router) monitor(ctx context.Context, v ingest.Vehicle, m *jt809.MonitorCall) (jt809.Body, error) {
	const monitoring = 1
	o := r.Terminals.Send(ctx, v, jt808.IDCallBack, &jt808.CallBack{Flag: monitoring, Phone: m.MonitorTel.Trimmed()}, r.options())
	return &jt809.ControlReply{Result: result(o, jt809.ControlFailed)}, failure(ctx, v, o)
}

func (r *Router) text(ctx context.Context, v ingest.Vehicle, m *jt809.VehicleText) (jt809.Body, error) {
	o := r.Terminals.SendText(ctx, v, m.MsgContent.Trimmed(), m.MsgPriority == jt809.TextUrgent, r.options())
	return &jt809.VehicleTextReply{MsgID: m.MsgSequence, Result: result(o, jt809.ControlFailed)}, failure(ctx, v, o)
}

// photoTypes are the types of a photo by the formats of JT/T 808.
var photoTypes = [...]uint8{jt809.PhotoJPEG, jt809.PhotoTIFF}

// photo orders one photo. The sizes of 809 are the resolutions of 808.
func (r *Router) photo(ctx context.Context, v ingest.Vehicle, ed jt809.Edition, m *jt809.PhotoRequest) (jt809.Body, error) {
	const medium = 2 // 640x480
	shoot := jt808.Shoot{Channel: m.LensID, Command: 1, Resolution: m.SizeType, Quality: 5, Brightness: 127, Contrast: 64, Saturation: 64, Chroma: 127}
	if m.SizeType == 0 || m.SizeType > 8 {
		shoot.Resolution = medium
	}
	p, o := r.Terminals.Shoot(ctx, v, &shoot, r.options())
	if err := failure(ctx, v, o); err != nil {
		return nil, err
	}
	reply := &jt809.PhotoReply{LensID: m.LensID}
	const noChannel = 2 // result of 0x0805
	switch {
	case p != nil:
		reply.PhotoRspFlag, reply.SizeType, reply.Photo = jt809.PhotoDone, shoot.Resolution, p.Data
		if int(p.Format) < len(photoTypes) {
			reply.Type = photoTypes[p.Format]
		}
		if p.HasLocation {
			var e ingest.Event
			p.Location.Event(&e) // where it has no date the place counts all the same
			reply.Location = jt809.LocationOf(&e, ed)
		}
	case o.State == gateway.CommandNotSupported:
		reply.PhotoRspFlag = jt809.PhotoUnsupported
	case o.ReplyID == jt808.IDShootReply && o.Result == noChannel:
		reply.PhotoRspFlag = jt809.PhotoNoLens
	default:
		reply.PhotoRspFlag = jt809.PhotoFailed
	}
	return reply, nil
}

// recorder asks the driving recorder. 2011 names a period and no command: it means the speeds. What is asked for blocks of
// a period is a packet of GB/T 19056; without one the recorder gives what it has.
func (r *Router) recorder(ctx context.Context, v ingest.Vehicle, m *jt809.RecorderRequest) (jt809.Body, error) {
	const speeds = 0x08
	ask := jt808.RecorderCommand{Command: m.CommandType}
	if m.CommandType == 0 && (m.StartTime != 0 || m.EndTime != 0) {
		ask.Command = speeds
	}
	if ask.Command >= speeds && (m.StartTime != 0 || m.EndTime != 0) {
		ask.Data = recorderPacket(ask.Command, m, r.Now().UnixMilli())
	}
	o := r.Terminals.Send(ctx, v, jt808.IDRecorderCollect, &ask, r.options())
	if err := failure(ctx, v, o); err != nil {
		return nil, err
	}
	reply := &jt809.RecorderReply{CommandType: ask.Command}
	if o.State != gateway.CommandDone || o.ReplyID != jt808.IDRecorderData {
		return reply, nil // without data: 809 has no other way to say so
	}
	var data jt808.RecorderData
	if err := jt808.Decode(o.Reply, jt808.GuessEdition(&o.ReplyHead, o.Reply), &data); err != nil {
		return nil, fmt.Errorf("relay: recorder data of %v: %w", v, err)
	}
	reply.TraveldataInfo = data.Data
	return reply, nil
}

// recorderPacket is the packet of GB/T 19056-2012 that asks for the blocks of a period: AA 75, command, length, reserved, start,
// end, most blocks, XOR of all before.
func recorderPacket(command uint8, m *jt809.RecorderRequest, now int64) []byte {
	const all = 0xFFFF
	start, end, most := m.StartTime.UnixMilli(), m.EndTime.UnixMilli(), m.MaxRecords
	if end == 0 {
		end = now
	}
	if most == 0 {
		most = all
	}
	b := []byte{0xAA, 0x75, command, 0, 14, 0}
	from, to := jt808.TimeOf(start), jt808.TimeOf(end)
	b = append(append(b, from[:]...), to[:]...)
	b = binary.BigEndian.AppendUint16(b, most)
	var x byte
	for _, c := range b {
		x ^= c
	}
	return append(b, x)
}

// emergency sends the terminal to the server of a regulator (0x8105, command 2).
func (r *Router) emergency(ctx context.Context, v ingest.Vehicle, m *jt809.EmergencyAccess) (jt809.Body, error) {
	args, ok := connectArgs(m, r.Now().UnixMilli())
	if !ok {
		return &jt809.ControlReply{Result: jt809.EmergencyFailed}, nil
	}
	o := r.Terminals.Send(ctx, v, jt808.IDTerminalControl, &jt808.TerminalControl{Command: jt808.ControlConnect, Args: args}, r.options())
	return &jt809.ControlReply{Result: result(o, jt809.EmergencyFailed)}, failure(ctx, v, o)
}

// connectArgs are the arguments of the terminal's command: control, code, dial-up, server, and the minutes that it may
// stay, 0 for good. It reports false where they can't be written, or the time is over.
func connectArgs(m *jt809.EmergencyAccess, now int64) (jt808.Text, bool) {
	const minute, mostMinutes = 60_000, 0xFFFF
	minutes := int64(0)
	if m.EndTime != 0 {
		left := m.EndTime.UnixMilli() - now
		if left <= 0 {
			return "", false
		}
		minutes = min((left+minute-1)/minute, mostMinutes)
	}
	port := func(p uint16) jt808.Text {
		if p == 0 {
			return ""
		}
		return jt808.Text(strconv.Itoa(int(p)))
	}
	code := jt808.Text(m.AuthenticationCode[:]).Trimmed()
	if strings.ContainsFunc(string(code), func(c rune) bool { return c < ' ' || c > '~' }) {
		code = jt808.Text(hex.EncodeToString(m.AuthenticationCode[:])) // raw bytes, BCD with some
	}
	fields := []jt808.Text{"0", code, m.AccessPointName.Trimmed(), m.Username.Trimmed(), m.Password.Trimmed(),
		m.ServerIP.Trimmed(), port(m.TCPPort), port(m.UDPPort), jt808.Text(strconv.FormatInt(minutes, 10))}
	if fields[5] == "" || m.TCPPort == 0 && m.UDPPort == 0 {
		return "", false
	}
	texts := make([]string, len(fields))
	for i, t := range fields {
		// A semicolon would move the fields behind it. In GBK it is no part of a character: trail bytes begin at 0x40.
		if strings.ContainsAny(string(t), ";\x00") {
			return "", false
		}
		texts[i] = string(t)
	}
	return jt808.Text(strings.Join(texts, ";")), true
}

// driver asks who drives (0x8702).
func (r *Router) driver(ctx context.Context, v ingest.Vehicle) (jt809.Body, error) {
	o := r.Terminals.Send(ctx, v, jt808.IDRequestDriver, &jt808.Empty{}, r.options())
	if err := failure(ctx, v, o); err != nil {
		return nil, err
	}
	if o.State != gateway.CommandDone || o.ReplyID != jt808.IDDriverIdentity {
		return nil, fmt.Errorf("%w: the terminal of %v does not tell its driver (%s)", ErrUnsupported, v, o.State)
	}
	var d jt808.DriverIdentity
	if err := jt808.Decode(o.Reply, jt808.GuessEdition(&o.ReplyHead, o.Reply), &d); err != nil {
		return nil, fmt.Errorf("relay: driver of %v: %w", v, err)
	}
	return driverReply(&d), nil
}

// driverReply is what a terminal says of its driver, in the words of 809. Who has pulled the card drives no more, and is the
// last one known.
func driverReply(d *jt808.DriverIdentity) *jt809.DriverReply {
	m := &jt809.DriverReply{}
	m.DriverName, m.DriverID, m.Licence, m.OrgName = d.Name.Trimmed(), d.IDCard.Trimmed(), d.Licence.Trimmed(), d.Org.Trimmed()
	// The date is YYYYMMDD in BCD: behind its century it is the date of a time.
	if d.Expiry[0] == 0x20 {
		t := jt808.Time{d.Expiry[1], d.Expiry[2], d.Expiry[3]}
		if ms, ok := t.UnixMilli(); ok {
			m.ValidDate = jt809.SecondsOf(ms)
		}
	}
	return m
}
