// The log through golang.org/x/mod/sumdb: reads a case as JSON, exit 0 where all of it holds, 1 where not.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type logCase struct {
	Vkey        string            `json:"vkey"`
	Checkpoint  []byte            `json:"checkpoint"`
	Files       map[string][]byte `json:"files"`
	Entry       []byte            `json:"entry"`
	Index       int64             `json:"index"`
	Proof       [][]byte          `json:"proof"`
	OlderSize   int64             `json:"older_size"`
	OlderRoot   []byte            `json:"older_root"`
	Consistency [][]byte          `json:"consistency"`
}

// Tiles of the log under their C2SP names; the library asks for a tile of height 8 by level and number.
type tiles struct{ files map[string][]byte }

func path(level string, tile tlog.Tile) string {
	// The library puts the height after "tile/"; C2SP fixes it and leaves it out.
	_, rest, _ := strings.Cut(tile.Path(), fmt.Sprintf("tile/8/%d/", tile.L))
	return "tile/" + level + "/" + rest
}

func (t tiles) Height() int                        { return 8 }
func (t tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (t tiles) ReadTiles(asked []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(asked))
	for at, tile := range asked {
		data, there := t.files[path(strconv.Itoa(tile.L), tile)]
		if !there || len(data) != tile.W*tlog.HashSize {
			return nil, errors.New("no such tile, or of another length")
		}
		found[at] = data
	}
	return found, nil
}

func hashes(raw [][]byte) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(raw))
	for at, one := range raw {
		if len(one) != tlog.HashSize {
			return nil, errors.New("a hash is not 32 bytes")
		}
		copy(found[at][:], one)
	}
	return found, nil
}

func verify(given logCase) error {
	verifier, err := note.NewVerifier(given.Vkey)
	if err != nil {
		return err
	}
	opened, err := note.Open(given.Checkpoint, note.VerifierList(verifier))
	if err != nil {
		return err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return errors.New("not three lines under the log's own name")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return err
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return err
	}
	proof, err := hashes(given.Proof)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, size, root, given.Index, tlog.RecordHash(given.Entry)); err != nil {
		return err
	}
	extension, err := hashes(append(given.Consistency, given.OlderRoot))
	if err != nil {
		return err
	}
	last := len(extension) - 1
	if err := tlog.CheckTree(extension[:last], size, root, given.OlderSize, extension[last]); err != nil {
		return err
	}
	return everyEntry(given.Files, tlog.Tree{N: size, Hash: root})
}

// everyEntry checks all tiles against the root, and every entry against its tile.
func everyEntry(files map[string][]byte, tree tlog.Tree) error {
	reader := tlog.TileHashReader(tree, tiles{files})
	for start := int64(0); start < tree.N; start += 256 {
		width := tree.N - start
		if width > 256 {
			width = 256
		}
		bundle := files[path("entries", tlog.Tile{H: 8, N: start / 256, W: int(width)})]
		indexes := make([]int64, width)
		for at := range indexes {
			indexes[at] = tlog.StoredHashIndex(0, start+int64(at))
		}
		stored, err := reader.ReadHashes(indexes)
		if err != nil {
			return err
		}
		for at := range stored {
			if len(bundle) < 2 || len(bundle) < 2+int(bundle[0])<<8+int(bundle[1]) {
				return errors.New("a bundle ends too early")
			}
			end := 2 + int(bundle[0])<<8 + int(bundle[1])
			if tlog.RecordHash(bundle[2:end]) != stored[at] {
				return fmt.Errorf("entry %d is another", start+int64(at))
			}
			bundle = bundle[end:]
		}
		if len(bundle) != 0 {
			return errors.New("a bundle is too long")
		}
	}
	return nil
}

func main() {
	var given logCase
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := verify(given); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
