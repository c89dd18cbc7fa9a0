package chengine

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The C API of libchdb that is used, chdb.h of chDB 26.7. A chdb_connection* is a pointer to the connection proper.
var capi struct {
	connect      func(argc int32, argv unsafe.Pointer) uintptr
	closeConn    func(conn uintptr)
	query        func(conn uintptr, q unsafe.Pointer, qn uintptr, f unsafe.Pointer, fn uintptr, names, nlens, vals, vlens unsafe.Pointer, n uintptr) uintptr
	stream       func(conn uintptr, q unsafe.Pointer, qn uintptr, f unsafe.Pointer, fn uintptr, names, nlens, vals, vlens unsafe.Pointer, n uintptr) uintptr
	fetch        func(conn, res uintptr) uintptr
	cancelStream func(conn, res uintptr)
	destroy      func(res uintptr)
	buffer       func(res uintptr) unsafe.Pointer
	length       func(res uintptr) uintptr
	resultError  func(res uintptr) unsafe.Pointer
	insert       func(conn uintptr, q unsafe.Pointer, qn uintptr, f unsafe.Pointer, fn uintptr) uintptr
	appendData   func(st uintptr, p unsafe.Pointer, n uintptr) int32
	done         func(st uintptr) uintptr
	cancelInsert func(st uintptr)
	destroyIns   func(st uintptr)
	insertError  func(st uintptr) unsafe.Pointer
	signals      func(on int32)
	sigaction    func(sig int32, act, old unsafe.Pointer) int32
	setenv       func(name, value string, overwrite int32) int32
}

var library struct {
	sync.Mutex        // also held while a connection is made: see keepSignals
	path       string // loaded; empty before
}

// loadLibrary loads libchdb once a process: it cannot be unloaded, its threads run on.
func loadLibrary(path string) (err error) {
	library.Lock()
	defer library.Unlock()
	if library.path != "" {
		if library.path != path {
			return fmt.Errorf("the engine %s is loaded already; a process can load one only, not %s as well", library.path, path)
		}
		return nil
	}
	if err := checkLibrary(path); err != nil {
		return err
	}
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return fmt.Errorf("the embedded ClickHouse engine %s cannot be loaded: %w; run `make engine` after removing the file, "+
			"or configure an outside ClickHouse", path, err)
	}
	libc, err := purego.Dlopen("libc.so.6", purego.RTLD_NOW)
	if err != nil {
		return fmt.Errorf("libc: %w", err)
	}
	for _, f := range []struct {
		fn     any
		handle uintptr
		name   string
	}{
		{&capi.connect, handle, "chdb_connect"}, {&capi.closeConn, handle, "chdb_close_conn"},
		{&capi.query, handle, "chdb_query_with_params_n"}, {&capi.stream, handle, "chdb_stream_query_with_params_n"},
		{&capi.fetch, handle, "chdb_stream_fetch_result"}, {&capi.cancelStream, handle, "chdb_stream_cancel_query"},
		{&capi.destroy, handle, "chdb_destroy_query_result"}, {&capi.buffer, handle, "chdb_result_buffer"},
		{&capi.length, handle, "chdb_result_length"}, {&capi.resultError, handle, "chdb_result_error"},
		{&capi.insert, handle, "chdb_stream_insert_n"}, {&capi.appendData, handle, "chdb_stream_append"},
		{&capi.done, handle, "chdb_stream_done"}, {&capi.cancelInsert, handle, "chdb_stream_cancel_insert"},
		{&capi.destroyIns, handle, "chdb_destroy_insert_stream"}, {&capi.insertError, handle, "chdb_stream_insert_error"},
		{&capi.signals, handle, "chdb_set_signal_handlers_enabled"}, {&capi.sigaction, libc, "sigaction"},
		{&capi.setenv, libc, "setenv"},
	} {
		symbol, err := purego.Dlsym(f.handle, f.name)
		if err != nil {
			return fmt.Errorf("the engine %s has no function %s: not libchdb %s? %w", path, f.name, EngineVersion, err)
		}
		purego.RegisterFunc(f.fn, symbol)
	}
	// The engine takes its time zone from TZ alone, and stores days and partitions by it: data must not depend on the machine's. This is
	// the environment of libc; Go has read its own before, so that time.Local stays what it was.
	capi.setenv("TZ", "UTC", 1)
	keepSignals(func() { capi.signals(0) })
	library.path = path
	return nil
}

// disposition is a struct sigaction of glibc on x86-64 (152 bytes) and some room. Behind the handler (8 bytes) stands a mask of 128, of
// which the kernel has 8 and the rest is left as it was, then the flags (4).
type disposition [160]byte

// same compares handler, mask and flags.
func (d *disposition) same(o *disposition) bool {
	return [16]byte(d[:16]) == [16]byte(o[:16]) && [4]byte(d[136:140]) == [4]byte(o[136:140])
}

// handled are the signals that Go relies on or that the engine takes for its own crash handlers (SIGSEGV and others): a nil dereference,
// which Go turns into a panic, would then end the process. Its handlers are switched off before the first connection; that call, and every
// connection, may still reset some of them, so all are put back each time.
var handled = []syscall.Signal{syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGILL, syscall.SIGBUS, syscall.SIGSYS, syscall.SIGFPE,
	syscall.SIGTSTP, syscall.SIGTRAP, syscall.SIGURG, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGPROF,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT, syscall.SIGCHLD}

// keepSignals runs f and puts the signal handlers back as they were. The caller holds library.Mutex: two at once could save what the
// other is about to mend.
func keepSignals(f func()) {
	before := make([]disposition, len(handled))
	for i, s := range handled {
		capi.sigaction(int32(s), nil, unsafe.Pointer(&before[i][0]))
	}
	f()
	for i, s := range handled {
		var now disposition
		capi.sigaction(int32(s), nil, unsafe.Pointer(&now[0]))
		if !now.same(&before[i]) {
			capi.sigaction(int32(s), unsafe.Pointer(&before[i][0]), nil)
		}
	}
}

// conn is one connection: one statement at a time, by one goroutine at a time.
type conn struct {
	pointer uintptr // chdb_connection*
	handle  uintptr // chdb_connection
}

// connect makes a connection; the first starts the engine. Every one of a process must pass the same arguments.
func connect(arguments []string) (*conn, error) {
	library.Lock()
	defer library.Unlock()
	var pin runtime.Pinner
	defer pin.Unpin()
	argv := make([]unsafe.Pointer, 0, len(arguments)+2)
	for _, a := range append([]string{"clickhouse"}, arguments...) {
		b := append([]byte(a), 0)
		pin.Pin(&b[0])
		argv = append(argv, unsafe.Pointer(&b[0]))
	}
	n := len(argv)
	argv = append(argv, nil)
	var p uintptr
	keepSignals(func() { p = capi.connect(int32(n), unsafe.Pointer(&argv[0])) })
	if p == 0 {
		return nil, errors.New("the embedded ClickHouse engine refused to start (its reason is on standard error); arguments: " + strings.Join(arguments, " "))
	}
	return &conn{pointer: p, handle: **(**uintptr)(unsafe.Pointer(&p))}, nil
}

// close ends the connection; the last one stops the engine.
func (c *conn) close() {
	library.Lock()
	defer library.Unlock()
	if c.pointer != 0 {
		capi.closeConn(c.pointer)
		c.pointer, c.handle = 0, 0
	}
}

// query runs a statement and returns its whole result, copied.
func (c *conn) query(statement, format string, parameters map[string]string) ([]byte, error) {
	q, f := []byte(statement), []byte(format)
	p := pinParameters(parameters)
	res := capi.query(c.handle, first(q), uintptr(len(q)), first(f), uintptr(len(f)), p.names, p.nlens, p.values, p.vlens, p.n)
	p.release()
	if err := resultError(res); err != nil {
		return nil, err
	}
	defer capi.destroy(res)
	return append([]byte(nil), resultBytes(res)...), nil
}

// stream runs a SELECT and hands its result to emit, a block at a time; what emit gets is valid during the call. It stops between
// blocks when stopped says so.
func (c *conn) stream(statement, format string, parameters map[string]string, stopped func() error, emit func([]byte) error) error {
	q, f := []byte(statement), []byte(format)
	p := pinParameters(parameters)
	res := capi.stream(c.handle, first(q), uintptr(len(q)), first(f), uintptr(len(f)), p.names, p.nlens, p.values, p.vlens, p.n)
	p.release()
	if err := resultError(res); err != nil {
		return err
	}
	defer capi.destroy(res)
	for {
		if err := stopped(); err != nil {
			capi.cancelStream(c.handle, res)
			return err
		}
		block := capi.fetch(c.handle, res)
		if err := resultError(block); err != nil {
			return err
		}
		b := resultBytes(block)
		if len(b) == 0 {
			capi.destroy(block)
			return nil
		}
		err := emit(b)
		capi.destroy(block)
		if err != nil {
			capi.cancelStream(c.handle, res)
			return err
		}
	}
}

// insert runs an INSERT without FORMAT clause and VALUES, with the data that next gives, until it gives nil. What next returns is
// used until the next call. When next fails, nothing of the block under way is inserted.
func (c *conn) insert(statement, format string, next func() ([]byte, error)) error {
	q, f := []byte(statement), []byte(format)
	st := capi.insert(c.handle, first(q), uintptr(len(q)), first(f), uintptr(len(f)))
	if st == 0 {
		return &engineError{"the engine gave no insert stream"}
	}
	defer capi.destroyIns(st)
	if e := cString(capi.insertError(st)); e != "" {
		return &engineError{e}
	}
	for {
		b, err := next()
		if err != nil {
			capi.cancelInsert(st)
			return err
		}
		if b == nil {
			break
		}
		if len(b) > 0 && capi.appendData(st, first(b), uintptr(len(b))) != 0 {
			e := cString(capi.insertError(st))
			capi.cancelInsert(st)
			return &engineError{e}
		}
	}
	res := capi.done(st)
	if err := resultError(res); err != nil {
		return err
	}
	capi.destroy(res)
	return nil
}

// resultError returns the error of a result and frees the result then; nil leaves it to the caller.
func resultError(res uintptr) error {
	if res == 0 {
		return &engineError{"the engine gave no result"}
	}
	if e := cString(capi.resultError(res)); e != "" {
		capi.destroy(res)
		return &engineError{e}
	}
	return nil
}

// resultBytes aliases the engine's memory: valid until the result is destroyed.
func resultBytes(res uintptr) []byte {
	n := capi.length(res)
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(capi.buffer(res)), n)
}

var zeroByte byte

func first(b []byte) unsafe.Pointer {
	if len(b) == 0 {
		return unsafe.Pointer(&zeroByte)
	}
	return unsafe.Pointer(&b[0])
}

// parameters are query parameters as the C API wants them: four arrays side by side.
type parameters struct {
	names, nlens, values, vlens unsafe.Pointer
	n                           uintptr
	pin                         runtime.Pinner
}

func pinParameters(m map[string]string) *parameters {
	p := &parameters{n: uintptr(len(m))}
	if len(m) == 0 {
		return p
	}
	names, values := make([]unsafe.Pointer, 0, len(m)), make([]unsafe.Pointer, 0, len(m))
	nlens, vlens := make([]uintptr, 0, len(m)), make([]uintptr, 0, len(m))
	for k, v := range m {
		kb, vb := append([]byte(k), 0), append([]byte(v), 0)
		p.pin.Pin(&kb[0])
		p.pin.Pin(&vb[0])
		names, values = append(names, unsafe.Pointer(&kb[0])), append(values, unsafe.Pointer(&vb[0]))
		nlens, vlens = append(nlens, uintptr(len(k))), append(vlens, uintptr(len(v)))
	}
	p.pin.Pin(&names[0])
	p.pin.Pin(&values[0])
	p.pin.Pin(&nlens[0])
	p.pin.Pin(&vlens[0])
	p.names, p.nlens = unsafe.Pointer(&names[0]), unsafe.Pointer(&nlens[0])
	p.values, p.vlens = unsafe.Pointer(&values[0]), unsafe.Pointer(&vlens[0])
	return p
}

func (p *parameters) release() { p.pin.Unpin() }

func cString(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}
