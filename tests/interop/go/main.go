// Command checklog reads a tlog-tiles log with nothing of Wherefrom: golang.org/x/mod's note and tlog packages, and
// Tessera's client and fsck. It prints one line, or the first thing that is wrong, with exit status 1.
//
//	checklog -vkey <verifier key> [-since <earlier checkpoint>] <URL or folder>
package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// fetcher is what both of Tessera's clients are: over HTTP, and over a folder.
type fetcher interface {
	ReadCheckpoint(ctx context.Context) ([]byte, error)
	ReadTile(ctx context.Context, level, index uint64, partial uint8) ([]byte, error)
	ReadEntryBundle(ctx context.Context, index uint64, partial uint8) ([]byte, error)
}

func main() {
	vkey := flag.String("vkey", "", "the log's verifier key")
	since := flag.String("since", "", "file with an earlier checkpoint, of which the log must be an extension")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := check(context.Background(), flag.Arg(0), *vkey, *since); err != nil {
		fmt.Fprintln(os.Stderr, "checklog:", err)
		os.Exit(1)
	}
}

func check(ctx context.Context, where, vkey, since string) error {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return fmt.Errorf("verifier key: %w", err)
	}
	reader, err := open(where)
	if err != nil {
		return err
	}
	data, err := reader.ReadCheckpoint(ctx)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	tree, err := openCheckpoint(data, verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	hashes := tlog.TileHashReader(tree, &tiles{ctx, reader, map[tlog.Tile][]byte{}})
	if err := checkEntries(ctx, reader, tree, hashes); err != nil {
		return err
	}
	if since != "" {
		old, err := os.ReadFile(since)
		if err != nil {
			return err
		}
		if err := checkGrowth(old, verifier, tree, hashes); err != nil {
			return err
		}
	}
	if err := fsck.New(verifier.Name(), verifier, reader, leafHashes, fsck.Opts{N: 2}).Check(ctx); err != nil {
		return fmt.Errorf("fsck: %w", err)
	}
	fmt.Printf("%s: %d entries, root %s\n", verifier.Name(), tree.N, tree.Hash)
	return nil
}

func open(where string) (fetcher, error) {
	if !strings.HasPrefix(where, "http://") && !strings.HasPrefix(where, "https://") {
		return client.FileFetcher{Root: where}, nil
	}
	root, err := url.Parse(strings.TrimSuffix(where, "/") + "/")
	if err != nil {
		return nil, err
	}
	return client.NewHTTPFetcher(root, http.DefaultClient)
}

func openCheckpoint(data []byte, verifier note.Verifier) (tlog.Tree, error) {
	signed, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	var checkpoint log.Checkpoint
	if _, err := checkpoint.Unmarshal([]byte(signed.Text)); err != nil {
		return tlog.Tree{}, err
	}
	if checkpoint.Origin != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("origin is %q, expected %q", checkpoint.Origin, verifier.Name())
	}
	return tlog.Tree{N: int64(checkpoint.Size), Hash: tlog.Hash(checkpoint.Hash)}, nil
}

// checkEntries proves every entry, from its bytes, to be in the tree at its index.
func checkEntries(ctx context.Context, reader fetcher, tree tlog.Tree, hashes tlog.HashReader) error {
	for index := int64(0); index < tree.N; index += 256 {
		width := min(256, tree.N-index)
		data, err := reader.ReadEntryBundle(ctx, uint64(index/256), uint8(width))
		if err != nil {
			return fmt.Errorf("entries from %d: %w", index, err)
		}
		entries, err := split(data)
		if err != nil {
			return fmt.Errorf("entries from %d: %w", index, err)
		}
		if int64(len(entries)) < width {
			return fmt.Errorf("entries from %d: %d of %d", index, len(entries), width)
		}
		for i, entry := range entries[:width] {
			at := index + int64(i)
			proof, err := tlog.ProveRecord(tree.N, at, hashes)
			if err != nil {
				return fmt.Errorf("proof of entry %d: %w", at, err)
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, at, tlog.RecordHash(entry)); err != nil {
				return fmt.Errorf("entry %d: %w", at, err)
			}
		}
	}
	return nil
}

// checkGrowth proves that the tree of an earlier checkpoint is a prefix of this one.
func checkGrowth(old []byte, verifier note.Verifier, tree tlog.Tree, hashes tlog.HashReader) error {
	before, err := openCheckpoint(old, verifier)
	if err != nil {
		return fmt.Errorf("earlier checkpoint: %w", err)
	}
	if before.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(tree.N, before.N, hashes)
	if err != nil {
		return fmt.Errorf("consistency from %d to %d: %w", before.N, tree.N, err)
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash)
}

func split(bundle []byte) ([][]byte, error) {
	var entries [][]byte
	for len(bundle) > 0 {
		if len(bundle) < 2 {
			return nil, fmt.Errorf("bundle ends inside a length")
		}
		size := int(binary.BigEndian.Uint16(bundle))
		if len(bundle) < 2+size {
			return nil, fmt.Errorf("bundle ends inside an entry")
		}
		entries, bundle = append(entries, bundle[2:2+size]), bundle[2+size:]
	}
	return entries, nil
}

func leafHashes(bundle []byte) ([][]byte, error) {
	entries, err := split(bundle)
	hashes := make([][]byte, 0, len(entries))
	for _, entry := range entries {
		hash := sha256.Sum256(append([]byte{0}, entry...))
		hashes = append(hashes, hash[:])
	}
	return hashes, err
}

// tiles lets x/mod's tlog read from a tlog-tiles log, whose tiles are all 8 high.
type tiles struct {
	ctx      context.Context
	reader   fetcher
	verified map[tlog.Tile][]byte
}

func (t *tiles) Height() int { return 8 }

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(wanted))
	for i, tile := range wanted {
		if data[i] = t.verified[tile]; data[i] != nil {
			continue
		}
		got, err := t.reader.ReadTile(t.ctx, uint64(tile.L), uint64(tile.N), uint8(tile.W))
		if err != nil {
			return nil, err
		}
		if len(got) < tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", tile.Path(), len(got))
		}
		data[i] = got[:tile.W*tlog.HashSize]
	}
	return data, nil
}

// SaveTiles gets what TileHashReader has held against the checkpoint.
func (t *tiles) SaveTiles(read []tlog.Tile, data [][]byte) {
	for i, tile := range read {
		t.verified[tile] = data[i]
	}
}
