import './viewer.css';
import { Dialog } from '../ui/Dialog';

interface Props {
  url: string;
  name: string;
  onClose: () => void;
}

/** A picture as large as the window allows. */
export function Viewer({ url, name, onClose }: Props) {
  return (
    <Dialog title={name} onClose={onClose} className="viewer">
      {/* The title names it. */}
      <img src={url} alt="" />
    </Dialog>
  );
}
