export function Mark() {
  return (
    <svg className="mark" width="20" height="20" viewBox="0 0 24 24" fill="none" aria-hidden="true">
      <path d="M3 12h18" className="mark-line" />
      <path d="M3 6h5c5 0 4 12 9 12h4" className="mark-branch" />
    </svg>
  );
}
