export { toApiError } from './api-error';
export { ChatAccumulator, emptyChat, readUsage } from './chat';
export { readEvents, SseParser } from './events';
export { createPaintQueue, type PaintQueue } from './paint';
export { type ReadChatOptions, readChat } from './read-chat';
export { ThinkSplitter } from './think';
export type {
  ApiError,
  ChatEnd,
  ChatResult,
  ChatState,
  ChatTimes,
  SseEvent,
  ToolCall,
  Usage,
} from './types';
